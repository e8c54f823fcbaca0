// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/intervals.hpp"

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <limits>

#include "analysis/statistics/autocorrelation.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "src/core/error.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

struct MedianCase {
  std::int64_t n;
  double confidence;
  std::int64_t lo, hi;  // 0: none
  double coverage;      // 0: not stated
};

class MedianRanks : public testing::TestWithParam<MedianCase> {};

TEST_P(MedianRanks, AreTheExactOnes) {
  const auto& [n, confidence, lo, hi, coverage] = GetParam();
  const std::optional<Ranks> ranks = median_ranks(n, confidence);
  ASSERT_EQ(ranks.has_value(), lo > 0);
  if (!ranks) return;
  EXPECT_EQ(ranks->lo, lo);
  EXPECT_EQ(ranks->hi, hi);
  EXPECT_GE(ranks->coverage, confidence);
  if (coverage > 0.0) expect_close(ranks->coverage, coverage);
}

INSTANTIATE_TEST_SUITE_P(KnownAnswers, MedianRanks,
                         testing::Values(MedianCase{0, 0.95, 0, 0, 0},             // nothing
                                         MedianCase{1, 0.95, 0, 0, 0},             // no pair to take
                                         MedianCase{5, 0.95, 0, 0, 0},             // one too few
                                         MedianCase{6, 0.95, 1, 6, 0.96875},       // the fewest at 95 %
                                         MedianCase{8, 0.95, 1, 8, 0.9921875},     // still the extremes
                                         MedianCase{9, 0.95, 2, 8, 0.9609375},     // first with rank 2
                                         MedianCase{10, 0.95, 2, 9, 0.978515625},  // benchstat's ten
                                         MedianCase{20, 0.95, 6, 15, 0.9586105346679688},  // even
                                         // The usual "large"; between two checkpoints; long series.
                                         MedianCase{30, 0.95, 10, 21, 0.9572260547429323},
                                         MedianCase{100, 0.95, 40, 61, 0.9647997997822951},
                                         MedianCase{1000, 0.95, 469, 532, 0.9537088026395019},
                                         MedianCase{7, 0.99, 0, 0, 0},    // one too few at 99 %
                                         MedianCase{8, 0.99, 1, 8, 0},    // the fewest at 99 %
                                         MedianCase{10, 0.99, 1, 10, 0},  // as at 95 %, but no rank 2 yet
                                         MedianCase{20, 0.99, 4, 17, 0},  // even
                                         MedianCase{100, 0.99, 37, 64, 0.9933628794840739}));

TEST(Intervals, RanksAtTheStopRulesCheckpointsAreTheKnownOnes) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> known{{32, 10},   {64, 24},   {128, 53},
                                                                 {256, 112}, {512, 234}, {1024, 481}};
  for (const auto& [n, r] : known) EXPECT_EQ(median_ranks(n, 0.95).value().lo, r) << "n = " << n;
}

TEST(Intervals, WidenedRanksAreTheKnownOnes) {
  EXPECT_EQ(widened_median_ranks(100, 1.0, 0.95).value().lo, 40);
  EXPECT_EQ(widened_median_ranks(100, 2.0, 0.95).value().lo, 36);
  EXPECT_EQ(widened_median_ranks(100, 4.0, 0.95).value().lo, 30);
  EXPECT_EQ(widened_median_ranks(512, 1.0, 0.95).value().lo, 233);
  EXPECT_EQ(widened_median_ranks(512, 2.0, 0.95).value().lo, 224);
  EXPECT_EQ(widened_median_ranks(512, 4.0, 0.95).value().lo, 211);
  EXPECT_EQ(widened_median_ranks(100, 4.0, 0.95).value().hi, 71);
}

TEST(Intervals, NegativeCorrelationNeverNarrowsTheRanks) {
  EXPECT_EQ(widened_median_ranks(100, 0.2, 0.95).value().lo, widened_median_ranks(100, 1.0, 0.95).value().lo);
}

TEST(Intervals, AWaveOfTwentySamplesIsWorthTooFewForAnInterval) {
  const double tau = autocorrelation_time(kWave);
  EXPECT_FALSE(widened_median_ranks(20, tau, 0.95));
  EXPECT_FALSE(median_interval(sorted(kWave), 0.95, tau));
  EXPECT_TRUE(median_interval(sorted(kWave), 0.95)) << "as independent samples they would have had one";
}

struct QuantileCase {
  std::int64_t n;
  double q;
  std::int64_t lo, hi;  // 0: that side is unbounded
  double coverage;
};

class RanksOfAQuantile : public testing::TestWithParam<QuantileCase> {};

TEST_P(RanksOfAQuantile, AreTheExactOnes) {
  const auto& [n, q, lo, hi, coverage] = GetParam();
  const QuantileRanks ranks = quantile_ranks(n, q, 0.95);
  EXPECT_EQ(ranks.lo.value_or(0), lo);
  EXPECT_EQ(ranks.hi.value_or(0), hi);
  if (coverage > 0.0) expect_close(ranks.coverage, coverage);
}

INSTANTIATE_TEST_SUITE_P(KnownAnswers, RanksOfAQuantile,
                         testing::Values(QuantileCase{100, 0.90, 84, 96, 0.955690107191223},
                                         QuantileCase{200, 0.95, 184, 197, 0.9671521638567256},
                                         QuantileCase{500, 0.99, 490, 500, 0.9801859498578058},
                                         QuantileCase{100, 0.25, 17, 35, 0.962462637701025}));

TEST(Intervals, AHundredSamplesDoNotBoundTheP99FromAbove) {
  const QuantileRanks ranks = quantile_ranks(100, 0.99, 0.95);
  EXPECT_TRUE(ranks.lo);
  EXPECT_FALSE(ranks.hi);
  std::vector<double> values(100);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  EXPECT_FALSE(quantile_interval(values, 0.99, 0.95));
}

TEST(Intervals, EachQuantileHasItsFewestSamples) {
  const std::vector<std::pair<double, std::int64_t>> fewest{
      {0.5, 6}, {0.75, 13}, {0.9, 36}, {0.95, 72}, {0.99, 368}};
  for (const auto& [q, n] : fewest) {
    const QuantileRanks enough = quantile_ranks(n, q, 0.95), short_by_one = quantile_ranks(n - 1, q, 0.95);
    EXPECT_TRUE(enough.lo && enough.hi) << "q = " << q;
    EXPECT_FALSE(short_by_one.lo && short_by_one.hi) << "q = " << q;
    EXPECT_GE(enough.coverage, 0.95);
  }
}

TEST(Intervals, AtTheMiddleBothRankRulesAgree) {
  for (const std::int64_t n : {6, 7, 10, 33, 100, 513}) {  // fewest, odd, even, past a checkpoint
    const QuantileRanks q = quantile_ranks(n, 0.5, 0.95);
    const Ranks m = median_ranks(n, 0.95).value();
    EXPECT_EQ(q.lo.value(), m.lo) << "n = " << n;
    EXPECT_EQ(q.hi.value(), m.hi) << "n = " << n;
    expect_close(q.coverage, m.coverage);
  }
}

void expect_interval(const std::optional<Interval>& interval, double lo, double hi) {
  ASSERT_TRUE(interval);
  expect_close(interval->lo, lo);
  expect_close(interval->hi, hi);
}

TEST(Intervals, OfTheMedianInBenchstatsExampleAreItsOwn) {
  expect_interval(median_interval(sorted(kJsonOld), 0.95), 1707, 1736);
  expect_interval(median_interval(sorted(kJsonNew), 0.95), 1412, 1426);
  expect_interval(median_interval(sorted(kGobOld), 0.95), 3059, 3075);
  expect_interval(median_interval(sorted(kGobNew), 0.95), 3060, 3135);
  expect_close(median_interval(sorted(kJsonOld), 0.95)->confidence, 0.978515625);
}

TEST(Intervals, OfTheSpikedSeriesAreTheKnownOnes) {
  expect_interval(median_interval(sorted(kSpiked), 0.95), 5.0, 5.3);  // ranks 3 and 10
  const double mean = 5.491666666666666, half = 0.7246650561824229;
  expect_interval(mean_interval(kSpiked, 0.95), mean - half, mean + half);
}

TEST(Intervals, TooFewOrUnboundedSamplesGiveNoneInsteadOfInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> five{1, 2, 3, 4, 5}, six{1, 2, 3, 4, 5, infinity};
  EXPECT_FALSE(median_interval(five, 0.95));
  EXPECT_FALSE(median_interval({}, 0.95));
  EXPECT_FALSE(median_interval(six, 0.95)) << "rank 6 is not finite";
  EXPECT_FALSE(mean_interval(std::vector<double>{1.0}, 0.95));
  EXPECT_FALSE(mean_interval(six, 0.95));
}

TEST(Intervals, ConfidenceOutsideZeroToOneIsAnError) {
  for (const double confidence : {0.0, 1.0, 95.0, -0.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(median_ranks(10, confidence), Error);
    EXPECT_THROW(quantile_ranks(10, 0.5, confidence), Error);
    EXPECT_THROW(t_two_sided(9, confidence), Error);
  }
  EXPECT_THROW(quantile_ranks(10, 1.0, 0.95), Error);
}

TEST(Intervals, SamplesForOnePerCentOfTheMeanAtFivePerCentSpreadAre99) {
  EXPECT_EQ(samples_for_mean(0.05, 0.01, 0.95), 99);
  const double with_z = z_two_sided(0.95) * 5.0;
  EXPECT_NEAR(with_z * with_z, 96.04, 0.005);
  EXPECT_EQ(samples_for_mean(0.0, 0.01, 0.95), 2);  // a mean needs two to have an interval at all
}

TEST(Intervals, SpecialFunctionsAgreeWithTheirTables) {
  expect_close(t_two_sided(1, 0.95), 12.706204736174694);
  expect_close(t_two_sided(4, 0.95), 2.7764451051977934);
  expect_close(t_two_sided(9, 0.95), 2.262157162798205);
  expect_close(t_two_sided(29, 0.95), 2.045229642132703);
  expect_close(t_two_sided(9, 0.99), 3.249835541592126);
  expect_close(z_two_sided(0.95), 1.959963984540054);
  // The distributions that only other figures use: a library that drifts would move p-values silently.
  expect_close(boost::math::cdf(boost::math::students_t(10), 2.0), 0.9633059826146299);
  expect_close(boost::math::quantile(boost::math::chi_squared(10), 0.95), 18.307038053275146);
  expect_close(boost::math::ibeta(2.5, 0.5, 0.3), 0.018927124071945658);
}

}  // namespace
}  // namespace bench::analysis
