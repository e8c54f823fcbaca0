// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/bootstrap.hpp"

#include <array>
#include <limits>
#include <map>
#include <numeric>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "src/core/error.hpp"
#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

constexpr std::uint64_t kSeed = 1234567;
const std::vector<double> kEleven{1, 2, 4, 7, 11, 16, 22, 29, 37, 46, 56};

double median_of(std::span<const double> values) {
  return median(sorted(values));
}
double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void expect_interval(const std::optional<Interval>& interval, double lo, double hi) {
  ASSERT_TRUE(interval);
  expect_close(interval->lo, lo);
  expect_close(interval->hi, hi);
  EXPECT_EQ(interval->confidence, 0.95);
}

TEST(SplitMix64, IsThePublishedGenerator) {
  SplitMix64 random{kSeed};
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(SplitMix64, DrawsTheKnownIndices) {
  SplitMix64 random{kSeed};
  for (const std::uint64_t expected : {3U, 1U, 5U, 2U, 9U, 4U, 6U, 3U, 4U, 9U, 4U})
    EXPECT_EQ(random.index(11), expected);
  EXPECT_EQ(random.index(1), 0U);  // the only one there is
}

TEST(Bootstrap, OfAMedianIsTheKnownOne) {
  const Bootstrap result = bootstrap(kEleven, median_of, {.seed = kSeed});
  EXPECT_EQ(result.estimate, 16.0);
  expect_close(result.mean, 17.2071);
  expect_close(result.standard_error, 8.675513589615566);
  expect_interval(result.percentile, 4.0, 37.0);
}

/// The exact distribution: the median of 11 draws is at most x_k when 6 of them are, each with chance k / 11.
TEST(Bootstrap, OfAMedianFollowsItsExactDistribution) {
  constexpr std::array kExact{.000174092, .007033025, .044039478, .121500342, .205884338, .242737448};
  constexpr std::int64_t kResamples = 40000;
  std::map<double, double> share;
  bootstrap(kEleven,
            [&](std::span<const double> resample) {
              const double value = median_of(resample);
              share[value] += 1.0 / static_cast<double>(kResamples);
              return value;
            },
            {.resamples = kResamples, .seed = 42});
  for (std::size_t i = 0; i < kEleven.size(); ++i) {
    const double p = kExact[std::min(i, kEleven.size() - 1 - i)];  // symmetric
    EXPECT_NEAR(share[kEleven[i]], p, 4.0 * std::sqrt(p / static_cast<double>(kResamples)) + 1e-4) << i;
  }
  const Bootstrap result = bootstrap(kEleven, median_of, {.resamples = kResamples, .seed = 42});
  EXPECT_NEAR(result.mean, 17.20512172630258, 4.0 * 8.7 / 200.0);  // four standard errors
  EXPECT_NEAR(result.standard_error, 8.675870041339259, 0.15);     // likewise, sd / sqrt(2 resamples) each
}

TEST(Bootstrap, OfAMeanIsTheKnownOne) {
  const Bootstrap result = bootstrap(kEleven, mean_of, {.seed = kSeed});
  EXPECT_EQ(result.estimate, 21.0);
  expect_close(result.mean, 21.00609090909091);
  expect_close(result.standard_error, 5.432713760315053);
  expect_interval(result.percentile, 10.909090909090908, 32.18181818181818);
  expect_interval(result.bca, 11.727272727272727, 33.156066326950004);  // moved up: the sample is skewed
}

/// Reference: the definitions in forty lines of numpy, z and quantiles from Python's NormalDist.
TEST(Bootstrap, OfMovingBlocksIsTheReferenceOne) {
  const Bootstrap result = bootstrap(kWave, mean_of, {.seed = kSeed, .block = 3});
  expect_close(result.estimate, 10.9);
  expect_close(result.mean, 11.00265);
  expect_close(result.standard_error, 0.4286949444949678);
  expect_interval(result.percentile, 10.15, 11.85);
  expect_interval(result.bca, 10.0, 11.65);
}

TEST(Bootstrap, BlocksKeepNeighboursTogether) {
  std::vector<double> counting(40);
  std::iota(counting.begin(), counting.end(), 0.0);
  const auto breaks = [](std::span<const double> resample) {  // places where a neighbour does not follow
    double count = 0.0;
    for (std::size_t i = 1; i < resample.size(); ++i) count += resample[i] != resample[i - 1] + 1.0;
    return count;
  };
  EXPECT_LE(bootstrap(counting, breaks, {.resamples = 200, .block = 8}).mean, 4.0);
  EXPECT_GE(bootstrap(counting, breaks, {.resamples = 200, .block = 1}).mean, 35.0);
}

TEST(Bootstrap, BlocksWidenTheErrorOfDependentSamples) {
  const CounterRng rng(1, "blocks");
  std::vector<double> x;  // AR(1), phi 0.8: tau 9, so the mean's error is 3 times that of independent samples
  double state = 0.0;
  for (std::uint64_t i = 0; i < 2000; ++i) x.push_back(state = 0.8 * state + rng.normal(i));
  const double alone = bootstrap(x, mean_of, {.resamples = 500}).standard_error;
  const double together =
      bootstrap(x, mean_of, {.resamples = 500, .block = block_length(9.0)}).standard_error;
  EXPECT_GT(together, 2.0 * alone);
  EXPECT_LT(together, 4.0 * alone);
}

TEST(Bootstrap, BlockLengthIsTwiceTheCorrelationTime) {
  EXPECT_EQ(block_length(1.0), 1);
  EXPECT_EQ(block_length(1.19), 1);
  EXPECT_EQ(block_length(1.2), 3);
  EXPECT_EQ(block_length(4.0), 8);
  EXPECT_EQ(block_length(4.1), 9);
}

TEST(Bootstrap, RepeatsToTheBitAndDependsOnTheSeed) {
  const Bootstrap first = bootstrap(kSpiked, mean_of, {.resamples = 100, .seed = 7});
  EXPECT_EQ(bootstrap(kSpiked, mean_of, {.resamples = 100, .seed = 7}).mean, first.mean);
  EXPECT_NE(bootstrap(kSpiked, mean_of, {.resamples = 100, .seed = 8}).mean, first.mean);
}

TEST(Bootstrap, LongSeriesAreJackknifedInGroups) {
  const CounterRng rng(2, "groups");
  std::vector<double> x;
  for (std::uint64_t i = 0; i < 10'000; ++i) x.push_back(std::exp(rng.normal(i)));
  std::int64_t calls = 0;
  const auto counted = [&](std::span<const double> values) {
    ++calls;
    return mean_of(values);
  };
  const Bootstrap result = bootstrap(x, counted, {.resamples = 200});
  EXPECT_LE(calls, 200 + 1 + 1024);
  ASSERT_TRUE(result.percentile && result.bca);
  EXPECT_LT(result.bca->lo, result.estimate);
  EXPECT_GT(result.bca->hi, result.estimate);
}

TEST(Bootstrap, HasNoIntervalWithoutSixBlocks) {
  EXPECT_FALSE(bootstrap(std::span(kEleven).first(5), mean_of, {.resamples = 50}).percentile);
  EXPECT_TRUE(bootstrap(std::span(kEleven).first(6), mean_of, {.resamples = 50}).percentile);
  EXPECT_FALSE(bootstrap(kEleven, mean_of, {.resamples = 50, .block = 2}).percentile);
  EXPECT_FALSE(bootstrap(kEleven, mean_of, {.resamples = 50, .block = 99}).bca);
  EXPECT_TRUE(std::isnan(bootstrap({}, mean_of).mean));
}

TEST(Bootstrap, OfAConstantOrDamagedSeriesDoesNotPretend) {
  const Bootstrap constant = bootstrap(std::vector<double>(10, 0.5), mean_of, {.resamples = 50});
  EXPECT_EQ(constant.standard_error, 0.0);
  EXPECT_FALSE(constant.bca) << "no group changes the mean";
  std::vector<double> damaged = kEleven;
  damaged[4] = std::numeric_limits<double>::quiet_NaN();
  const Bootstrap result = bootstrap(damaged, mean_of, {.resamples = 50});
  EXPECT_FALSE(result.percentile);
  EXPECT_FALSE(result.bca);
}

TEST(Bootstrap, RefusesNonsense) {
  EXPECT_THROW(bootstrap(kEleven, mean_of, {.resamples = 1}), Error);
  EXPECT_THROW(bootstrap(kEleven, mean_of, {.block = 0}), Error);
  EXPECT_THROW(bootstrap(kEleven, mean_of, {.confidence = 1.0}), Error);
}

}  // namespace
}  // namespace bench::analysis
