// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/time_model.hpp"

#include <cmath>
#include <functional>
#include <string>

#include "src/core/error.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

const std::vector<double> kRanks{1, 2, 4, 8, 16, 32, 64};  // doublings: the shape of most studies
constexpr double kExact = 1e-9;

std::vector<TimePoint> points_of(const std::vector<double>& times, double first_ranks = 1.0) {
  std::vector<TimePoint> points;
  for (std::size_t i = 0; i < times.size(); ++i)
    points.push_back({first_ranks * std::exp2(static_cast<double>(i)), times[i]});
  return points;
}

const std::vector<double> kAmdahl{100, 52.5, 28.75, 16.875, 10.9375, 7.96875, 6.484375};
const std::vector<double> kLog{100, 51.5, 27.5, 15.75, 10.125, 7.5625, 6.53125};
const std::vector<double> kRing{65, 33.25, 17.75, 10.75, 8.75, 10.75, 17.75};

TEST(TimeModel, FindsAmdahlsLawExactly) {
  const TimeFit fit = fit_time(points_of(kAmdahl), Ladder::strong);
  ASSERT_NE(fit.rung, nullptr);
  EXPECT_STREQ(fit.rung->name, "amdahl");
  expect_close(fit.terms[0], 5.0, kExact);
  expect_close(fit.terms[1], 95.0, kExact);
  expect_close(amdahl_fraction(fit.terms).value(), 0.05, kExact);
  expect_close(max_speedup(fit.terms).value(), 20.0, kExact);
  EXPECT_FALSE(peak_ranks(fit.terms)) << "time falls for ever";
  expect_close(time_at(fit.terms, 256.0), 5.0 + 95.0 / 256.0, kExact);
}

TEST(TimeModel, FindsTheSameLawFromFourRanksOn) {
  const TimeFit fit = fit_time(points_of({kAmdahl.begin() + 2, kAmdahl.end()}, 4.0), Ladder::strong);
  ASSERT_NE(fit.rung, nullptr);
  EXPECT_EQ(fit.n_points, 5) << "the fewest that can be fitted";
  expect_close(fit.terms[0], 5.0, kExact);
  expect_close(amdahl_fraction(fit.terms).value(), 0.05, kExact);
}

TEST(TimeModel, FindsTheLogTermExactly) {
  const TimeFit fit = fit_time(points_of(kLog), Ladder::strong);
  ASSERT_NE(fit.rung, nullptr);
  EXPECT_STREQ(fit.rung->name, "amdahl+log");
  expect_close(fit.terms[0], 2.0, kExact);
  expect_close(fit.terms[1], 98.0, kExact);
  expect_close(fit.terms[2], 0.5, kExact);
  EXPECT_EQ(fit.terms[3], 0.0);
  expect_close(peak_ranks(fit.terms).value(), 98.0 * std::log(2.0) / 0.5, kExact);
}

TEST(TimeModel, FindsTheRingTermAndItsOptimumExactly) {
  const TimeFit fit = fit_time(points_of(kRing), Ladder::strong);
  ASSERT_NE(fit.rung, nullptr);
  EXPECT_STREQ(fit.rung->name, "amdahl+ring");
  expect_close(fit.terms[0], 1.0, kExact);
  expect_close(fit.terms[1], 64.0, kExact);
  expect_close(fit.terms[3], 0.25, kExact);
  expect_close(peak_ranks(fit.terms).value(), 16.0, kExact);
  expect_close(time_at(fit.terms, 16.0), 8.75, kExact);
  expect_close(max_speedup(fit.terms).value(), 65.0 / 8.75, kExact);
}

TEST(TimeModel, PeaksWhereTreeAndRingTogetherTurnTheSlope) {
  const TimeTerms terms{1.0, 60.0, 2.0, 0.3};
  const double peak = peak_ranks(terms).value();
  EXPECT_LT(time_at(terms, peak), time_at(terms, 0.999 * peak));
  EXPECT_LT(time_at(terms, peak), time_at(terms, 1.001 * peak));
  EXPECT_EQ(peak_ranks({1.0, 0.0, 0.5, 0.0}).value(), 1.0) << "nothing is shared: one rank is best";
  EXPECT_FALSE(max_speedup({0.0, 95.0, 0.0, 0.0})) << "all of it is shared: no end";
}

TEST(TimeModel, NeverForetellsANegativeTime) {
  // Times that fall faster than any law allows (1/p^2), and noise of 30 %: fits may be poor, never absurd.
  std::vector<double> steep;
  for (const double p : kRanks) steep.push_back(100.0 / (p * p));
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    const CounterRng rng(trial, "negative");
    std::vector<double> times = trial % 2 == 0 ? steep : kAmdahl;
    for (std::size_t i = 0; i < times.size(); ++i) times[i] *= std::exp(0.3 * rng.normal(i));
    for (const Ladder ladder : {Ladder::strong, Ladder::weak}) {
      const TimeFit fit = fit_time(points_of(times), ladder);
      for (const double p : {1.0, 3.0, 64.0, 256.0, 1e6}) ASSERT_GE(time_at(fit.terms, p), 0.0);
    }
  }
}

TEST(TimeModel, IsNotFittedToFewerThanFiveRankCounts) {
  const TimeFit fit = fit_time(points_of({4, 2}), Ladder::strong);
  EXPECT_EQ(fit.rung, nullptr);
  EXPECT_EQ(fit.note, "not fitted, n=2");
  std::vector<TimePoint> twice = points_of({100, 52.5, 28.75, 16.875});
  twice.push_back(twice.back());
  EXPECT_EQ(fit_time(twice, Ladder::strong).note, "not fitted, n=4") << "a rank count twice is one";
}

TEST(TimeModel, TakesAThirdTermFromSixRankCountsOn) {
  const std::vector<double> five(kRing.begin(), kRing.begin() + 5);
  EXPECT_LE(fit_time(points_of(five), Ladder::strong).rung->parameters(), 2)
      << "AICc of a third does not exist";
  const std::vector<double> six(kRing.begin(), kRing.begin() + 6);
  EXPECT_STREQ(fit_time(points_of(six), Ladder::strong).rung->name, "amdahl+ring");
}

TEST(TimeModel, OfAWeakStudyHasNothingThatRanksShare) {
  EXPECT_STREQ(fit_time(points_of({3, 3, 3, 3, 3}), Ladder::weak).rung->name, "constant");
  std::vector<double> tree;
  for (const double p : kRanks) tree.push_back(3.0 + 0.2 * std::log2(p));
  const TimeFit fit = fit_time(points_of(tree), Ladder::weak);
  EXPECT_STREQ(fit.rung->name, "constant+log");
  expect_close(fit.terms[2], 0.2, kExact);
}

TEST(TimeModel, ListensLessToPointsThatVaryMore) {
  std::vector<TimePoint> points = points_of(kAmdahl);
  points[6].time_s *= 1.2;
  const double equal = fit_rung(points, rungs(Ladder::strong)[1])->terms[0];
  for (TimePoint& point : points) point.relative_se = 0.001;
  expect_close(fit_rung(points, rungs(Ladder::strong)[1])->terms[0], equal, kExact);
  points[6].relative_se = 0.1;
  const double weighed = fit_rung(points, rungs(Ladder::strong)[1])->terms[0];
  EXPECT_LT(std::abs(weighed - 5.0), 0.1 * std::abs(equal - 5.0));
}

TEST(TimeModel, RefusesTimesThatAreNone) {
  std::vector<TimePoint> points = points_of(kAmdahl);
  points[3].time_s = 0.0;
  EXPECT_THROW(fit_time(points, Ladder::strong), Error);
}

/// In how many of 400 draws with 1 % noise the ladder finds the model behind them.
int recovered(const std::function<double(double)>& truth, const std::string& name) {
  int hits = 0;
  for (std::uint64_t draw = 0; draw < 400; ++draw) {
    const CounterRng rng(draw, name);
    std::vector<double> times;
    for (std::size_t i = 0; i < kRanks.size(); ++i)
      times.push_back(truth(kRanks[i]) * (1.0 + 0.01 * rng.normal(i)));
    hits += fit_time(points_of(times), Ladder::strong).rung->name == name ? 1 : 0;
  }
  return hits;
}

TEST(TimeModel, RecoversTheModelBehindOnePercentOfNoise) {
  // Known shares 98 %, 99.5 %, 100 %, 82.5 %. Bounds: three standard errors of the difference of two samples
  // of 400, sqrt(2 p (1 - p) / 400), which is 3 %, 1.5 %, and 8 %; 2 of 400 where the known share is all.
  EXPECT_GE(recovered([](double) { return 10.0; }, "constant"), 380);
  EXPECT_GE(recovered([](double p) { return 5.0 + 95.0 / p; }, "amdahl"), 392);
  EXPECT_GE(recovered([](double p) { return 1.0 + 64.0 / p + 0.25 * (p - 1.0); }, "amdahl+ring"), 398);
  const int log = recovered([](double p) { return 2.0 + 98.0 / p + 0.5 * std::log2(p); }, "amdahl+log");
  EXPECT_GE(log, 298) << "hard to tell from Amdahl's law with seven points";
  EXPECT_LE(log, 362);
}

}  // namespace
}  // namespace bench::analysis
