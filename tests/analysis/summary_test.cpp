// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/summary.hpp"

#include <algorithm>
#include <limits>

#include "analysis/statistics/quantiles.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

TEST(Summary, OfTheSpikedSeriesHasTheKnownFigures) {
  const Summary s = summarise(kSpiked);
  EXPECT_FALSE(s.invalid);
  EXPECT_EQ(s.n, 12);
  EXPECT_EQ(s.n_valid, 12);
  expect_close(s.min, 4.9);
  expect_close(s.max, 9.0);
  expect_close(s.mean, 5.491666666666666);
  expect_close(s.sd, 1.1405408073950416);
  expect_close(s.cv, 1.1405408073950416 / 5.491666666666666);
  expect_close(s.median, 5.1);
  expect_close(s.q25, 5.0);
  expect_close(s.q75, 5.225);
  expect_close(s.mad, 0.1);
  expect_close(s.madn, 0.1482602218505602);
  ASSERT_TRUE(s.median_interval);
  expect_close(s.median_interval->lo, 5.0);
  expect_close(s.median_interval->hi, 5.3);
  ASSERT_TRUE(s.mean_interval);
  expect_close(s.mean_interval->hi - s.mean, 0.7246650561824229);
}

TEST(Summary, CountsOutliersByTukeysFencesAndDropsNone) {
  const Summary s = summarise(kSpiked);  // fences 4.325, 4.6625, 5.5625, 5.9
  EXPECT_EQ(s.outliers.high_severe, 2);  // 9.0 and 6.0
  EXPECT_EQ(s.outliers.high_mild + s.outliers.low_mild + s.outliers.low_severe, 0);
  EXPECT_EQ(s.max, 9.0);
  const std::vector<double> both_sides{1, 4.5, 5, 5, 5, 5.1, 5.2, 5.3, 5.3, 5.3, 5.8, 9};  // IQR 0.3
  const OutlierCounts counts = outliers(both_sides);
  EXPECT_EQ(counts.low_severe, 1);
  EXPECT_EQ(counts.low_mild, 1);
  EXPECT_EQ(counts.high_mild, 1);
  EXPECT_EQ(counts.high_severe, 1);
}

TEST(Summary, OfNumAcc4KeepsEightDigitsOfTheDeviation) {
  const Summary s = summarise(num_acc_4());
  expect_close(s.mean, 10000000.2, 1e-14);
  expect_close(s.sd, 0.1, 1e-8);  // E[x^2] - mean^2 in double gives a negative variance here
  expect_close(s.lag1, -0.999, 1e-8);
  EXPECT_EQ(s.tau, 1.0);
}

TEST(Summary, OfADependentSeriesWidensOrRefuses) {
  const Summary wave = summarise(kWave);
  expect_close(wave.tau, 4.7151079136690655);
  expect_close(wave.ljung_box.p, 4.426365415456362e-06, 1e-11);
  EXPECT_FALSE(wave.median_interval) << "twenty such samples are worth four";
  std::vector<double> ramp(400);  // long enough for a p99, were its samples independent
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = 1.0 + 0.001 * static_cast<double>(i);
  EXPECT_FALSE(summarise(ramp).q99_interval);
}

TEST(Summary, RefusesTheTailWhenThereAreTooFewSamples) {
  std::vector<double> values;  // 101 is prime: i * 37 mod 101 visits every value once, in no order
  for (int i = 1; i <= 100; ++i) values.push_back(100.0 + (i * 37) % 101);
  const Summary s = summarise(values);
  EXPECT_TRUE(s.q90_interval);
  EXPECT_TRUE(s.q95_interval);
  EXPECT_FALSE(s.q99_interval);
  expect_close(s.q99, 199.01);  // the point estimate exists all the same: 101..200, type 7
}

TEST(Summary, MarksNanInfiniteZeroAndNegativeTimesInvalid) {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, -infinity, 0.0, -1e-9}) {
    const Summary s = summarise(std::vector<double>{1, 2, bad, 3, 4, 5, 6, 7});
    EXPECT_TRUE(s.invalid) << bad;
    EXPECT_EQ(s.n, 8);
    EXPECT_EQ(s.n_valid, 7);
    EXPECT_TRUE(std::isnan(s.median)) << "an invalid series has no figures";
    EXPECT_FALSE(s.median_interval || s.mean_interval);
  }
}

TEST(Summary, OfNothingIsInvalidAndOfOneSampleHasNoSpread) {
  EXPECT_TRUE(summarise({}).invalid);
  const Summary one = summarise(std::vector<double>{3.0});
  EXPECT_FALSE(one.invalid);
  EXPECT_EQ(one.median, 3.0);
  EXPECT_TRUE(std::isnan(one.sd) && std::isnan(one.cv));
  EXPECT_FALSE(one.mean_interval || one.median_interval);
}

TEST(Summary, OfRanksIsTheMedianOfTheSlowestPerRepetition) {
  const std::vector<std::vector<double>> rank_time{
      {1.00, 1.02, 1.01, 1.03}, {1.05, 1.00, 1.04, 1.02}, {0.99, 1.07, 1.00, 1.01}};
  std::vector<double> slowest(4, 0.0);
  for (const std::vector<double>& times : rank_time)
    for (std::size_t i = 0; i < slowest.size(); ++i) slowest[i] = std::max(slowest[i], times[i]);
  EXPECT_EQ(slowest, (std::vector<double>{1.05, 1.07, 1.04, 1.03}));
  expect_close(summarise(slowest).median, 1.045);  // the largest rank median, 1.03, would hide the waiting
}

}  // namespace
}  // namespace bench::analysis
