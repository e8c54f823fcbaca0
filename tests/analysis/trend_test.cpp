// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/trend.hpp"

#include <algorithm>
#include <limits>

#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

const std::vector<double> kRising{5, 3, 3, 6, 7, 7, 8, 6, 9, 10};      // with three pairs of ties
const std::vector<double> kStep{10.1, 9.9,  10, 10.2, 9.8,  10, 10.1,  // one unit higher from here on
                                11.1, 10.9, 11, 11.2, 10.8, 11, 11.1};

std::vector<double> noise(std::uint64_t seed, std::size_t n) {
  const CounterRng rng(seed, "trend");
  std::vector<double> x;
  for (std::size_t i = 0; i < n; ++i) x.push_back(rng.normal(i));
  return x;
}

int sign(double x) {
  return (x > 0.0) - (x < 0.0);
}

TEST(MannKendall, OfARisingSeriesWithTiesIsTheKnownOne) {
  const MannKendall test = mann_kendall(kRising);
  EXPECT_EQ(test.s, 32);
  EXPECT_EQ(test.variance, 122.0);
  expect_close(test.z, 2.8066081273180745);
  expect_close(test.p, 0.005006610657445084);
}

TEST(MannKendall, OfARampAndOfAWaveIsTheKnownOne) {
  const MannKendall ramp = mann_kendall(kRamp);
  EXPECT_EQ(ramp.s, 66);
  expect_close(ramp.variance, 212.66666666666666);
  expect_close(ramp.z, 4.45721562860432);
  const MannKendall wave = mann_kendall(kWave);  // dependent, yet without a trend
  EXPECT_EQ(wave.s, -37);
  expect_close(wave.z, -1.2147105917179937);
}

TEST(MannKendall, CountsEveryPairAsTheDefinitionDoes) {
  for (const std::size_t n : {2U, 3U, 31U, 64U, 257U}) {  // one pair; odd; uneven halves; even; long
    std::vector<double> x = noise(n, n);
    for (double& value : x) value = std::round(4.0 * value);  // many ties
    std::int64_t s = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = i + 1; j < n; ++j) s += sign(x[j] - x[i]);
    EXPECT_EQ(mann_kendall(x).s, s) << n;
  }
}

TEST(MannKendall, OfAMillionSamplesIsExactAndNotQuadratic) {
  std::vector<double> x(1'000'000);  // 5e11 pairs: beyond 32 bits, and hours if each were looked at
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  EXPECT_EQ(mann_kendall(x).s, 499'999'500'000);
  std::reverse(x.begin(), x.end());
  EXPECT_EQ(mann_kendall(x).s, -499'999'500'000);
}

TEST(MannKendall, RejectsNoiseAboutAsOftenAsItSays) {
  int rejected = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) rejected += mann_kendall(noise(seed, 64)).p < 0.05;
  EXPECT_NEAR(rejected, 50, 28);  // four standard errors: sqrt(1000 * .05 * .95) = 6.9
}

TEST(TheilSen, OfARisingSeriesIsTheKnownOne) {
  expect_close(theil_sen_slope(kRising), 0.6);
  expect_close(theil_sen_slope(kRamp), 0.2);
}

TEST(TheilSen, IsNotMovedByAFewWildSamples) {
  std::vector<double> x = kRamp;
  x[3] = 1e6;
  x[8] = -1e6;
  EXPECT_NEAR(theil_sen_slope(x), 0.2, 0.05);
}

TEST(TheilSen, ThinsLongSeriesToTheSameSlope) {
  for (const std::size_t n : {1024U, 1025U, 3000U, 1'000'000U}) {  // last exact; first thinned; uneven; long
    std::vector<double> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = 7.0 - 0.25 * static_cast<double>(i);  // exact in binary
    EXPECT_EQ(theil_sen_slope(x), -0.25) << n;
  }
}

/// The definition: the middle of all slopes, made and sorted.
double median_of_all_slopes(const std::vector<double>& x) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = i + 1; j < x.size(); ++j)
      slopes.push_back((x[j] - x[i]) / static_cast<double>(j - i));
  std::sort(slopes.begin(), slopes.end());
  return (slopes[(slopes.size() - 1) / 2] + slopes[slopes.size() / 2]) / 2.0;
}

TEST(TheilSen, IsTheMedianOfAllSlopesThoughFewAreMade) {
  for (const std::size_t n : {127U, 128U, 130U, 255U, 1024U}) {  // all made; bracketed, even and odd counts
    std::vector<double> x = noise(n, n);
    EXPECT_EQ(theil_sen_slope(x), median_of_all_slopes(x)) << n;
    for (std::size_t i = 0; i < n; ++i) x[i] += 0.01 * static_cast<double>(i);
    EXPECT_EQ(theil_sen_slope(x), median_of_all_slopes(x)) << n << " with a trend";
    for (double& value : x) value = std::round(value);  // thousands of slopes equal the median
    EXPECT_EQ(theil_sen_slope(x), median_of_all_slopes(x)) << n << " with ties";
  }
}

TEST(TheilSen, OfAPeriodThatTheSampledSlopesFollowIsStillTheMedian) {
  std::vector<double> x(1024);  // sampled pairs are 64 apart, as is the period
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 64 * (i % 64));
  EXPECT_EQ(theil_sen_slope(x), median_of_all_slopes(x));
}

TEST(RunsTest, OfARampIsTheKnownOne) {
  const RunsTest test = runs_test(kRamp);
  EXPECT_EQ(test.runs, 2);
  EXPECT_EQ(test.above, 6);
  EXPECT_EQ(test.below, 6);
  expect_close(test.z, -3.0276503540974917);
  expect_close(test.p, std::erfc(3.0276503540974917 / std::sqrt(2.0)));
}

TEST(RunsTest, DropsValuesEqualToTheMedian) {
  const RunsTest test = runs_test(std::vector<double>{1, 5, 2, 5, 9, 5, 8});  // below below | above above
  EXPECT_EQ(test.runs, 2);
  EXPECT_EQ(test.above, 2);
  EXPECT_EQ(test.below, 2);
}

TEST(RunsTest, SaysTooManyRunsOfAlternatingValues) {
  std::vector<double> x;
  for (int i = 0; i < 20; ++i) x.push_back(i % 2);
  const RunsTest test = runs_test(x);
  EXPECT_EQ(test.runs, 20);
  EXPECT_GT(test.z, 4.0);
  EXPECT_LT(test.p, 1e-4);
}

TEST(Pettitt, OfAStepIsTheKnownOne) {
  const Pettitt test = pettitt(kStep);
  EXPECT_EQ(test.k, 49);
  EXPECT_EQ(test.index, 6);
  expect_close(test.p, 0.014893166141848676);
}

TEST(Pettitt, IsTheLargestSumOfSignsAcrossASplit) {
  std::vector<double> x = noise(3, 60);
  for (double& value : x) value = std::round(3.0 * value);
  std::int64_t largest = 0, at = 0;
  for (std::size_t t = 0; t + 1 < x.size(); ++t) {
    std::int64_t u = 0;
    for (std::size_t i = 0; i <= t; ++i)
      for (std::size_t j = t + 1; j < x.size(); ++j) u += sign(x[i] - x[j]);
    if (std::abs(u) > largest) at = static_cast<std::int64_t>(t);
    largest = std::max(largest, std::abs(u));
  }
  EXPECT_EQ(pettitt(x).k, largest);
  EXPECT_EQ(pettitt(x).index, at);
}

TEST(Pettitt, FindsALateStepInAMillionSamples) {
  std::vector<double> x = noise(5, 1'000'000);
  for (std::size_t i = 700'000; i < x.size(); ++i) x[i] += 1.0;
  EXPECT_NEAR(static_cast<double>(pettitt(x).index), 699'999.0, 50.0);
  EXPECT_LT(pettitt(x).p, 1e-12);
}

TEST(Pettitt, CapsTheProbabilityAtOne) {
  EXPECT_EQ(pettitt(kNoise).p, 1.0);
}

TEST(Trend, OfWhatCannotTellIsNone) {
  const std::vector<double> damaged{1, 2, std::numeric_limits<double>::quiet_NaN(), 4, 5, 6};
  const std::vector<double> infinite{1, 2, 3, std::numeric_limits<double>::infinity()};
  const std::vector<double> constant(50, 0.1);
  for (const std::vector<double>& x : {std::vector<double>{}, {1.0}, constant, damaged, infinite}) {
    EXPECT_EQ(mann_kendall(x).z, 0.0);
    EXPECT_EQ(mann_kendall(x).p, 1.0);
    EXPECT_EQ(theil_sen_slope(x), 0.0);
    EXPECT_EQ(runs_test(x).p, 1.0);
    EXPECT_EQ(pettitt(x).p, 1.0);
  }
}

}  // namespace
}  // namespace bench::analysis
