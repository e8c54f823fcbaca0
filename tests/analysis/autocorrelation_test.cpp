// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/autocorrelation.hpp"

#include <algorithm>
#include <limits>
#include <numbers>

#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

TEST(Autocorrelation, OfARampIsTheKnownOne) {
  expect_close(autocorrelation(kRamp, 0), 1.0);
  expect_close(autocorrelation(kRamp, 1), 0.75);
  expect_close(autocorrelation(kRamp, 2), 0.506993006993007);
  const LjungBox test = ljung_box(kRamp, 2);
  expect_close(test.q, 12.909213164457924);
  expect_close(test.p, 0.0015732581074945897);
  expect_close(autocorrelation_time(kRamp), 4.06993006993007);
  expect_close(12.0 / autocorrelation_time(kRamp), 2.9484536082474224);  // the effective sample size
}

TEST(Autocorrelation, OfAWaveIsTheKnownOne) {
  expect_close(autocorrelation(kWave, 1), 0.8269784172661873);
  const LjungBox test = ljung_box(kWave, ljung_box_lags(20));
  expect_close(test.q, 30.21439602444156);
  expect_close(test.p, 4.426365415456362e-06, 1e-11);  // q / 2 = 15 times the relative error of q
  expect_close(autocorrelation_time(kWave), 4.7151079136690655);
}

TEST(Autocorrelation, OfAlternatingNoiseClampsToIndependence) {
  expect_close(autocorrelation(kNoise, 1), -0.5163474692202463);
  const LjungBox test = ljung_box(kNoise, 4);
  expect_close(test.q, 8.293458001253672);
  expect_close(test.p, 0.0814010071458617);
  EXPECT_EQ(autocorrelation_time(kNoise), 1.0);
  EXPECT_EQ(effective_tau(kNoise), 1.0);
}

TEST(Autocorrelation, OfNumAcc4SurvivesTheOffset) {
  expect_close(autocorrelation(num_acc_4(), 1), -0.999, 1e-8);
}

TEST(Autocorrelation, OfAConstantSeriesIsNone) {
  // 0.1 is not a binary fraction: a mean by plain summation misses it, and the residue looks perfectly
  // correlated.
  const std::vector<double> constant(1000, 0.1);
  EXPECT_EQ(autocorrelation(constant, 1), 0.0);
  EXPECT_EQ(autocorrelation_time(constant), 1.0);
  EXPECT_EQ(ljung_box(constant, 10).p, 1.0);
}

TEST(Autocorrelation, OfNothingOrOfNanIsNone) {
  const std::vector<double> damaged{1, 2, std::numeric_limits<double>::quiet_NaN(), 4, 5, 6};
  for (const std::vector<double>& x : {std::vector<double>{}, std::vector<double>{1.0}, damaged}) {
    EXPECT_EQ(autocorrelation(x, 1), 0.0);
    EXPECT_EQ(effective_tau(x), 1.0);
    EXPECT_EQ(ljung_box(x, 3).p, 1.0);
  }
}

TEST(Autocorrelation, LagsStayInsideTheSeries) {
  EXPECT_EQ(autocorrelation(kRamp, 12), 0.0);
  EXPECT_TRUE(std::isfinite(ljung_box(kRamp, 100).q));
  EXPECT_EQ(ljung_box_lags(4), 0);
  EXPECT_EQ(ljung_box_lags(20), 4);
  EXPECT_EQ(ljung_box_lags(1000), 10);
}

TEST(Autocorrelation, TimeStaysBelowHalfTheSeries) {
  std::vector<double> step(40, 1.0);  // as dependent as it gets: one jump
  for (std::size_t i = 20; i < step.size(); ++i) step[i] = 2.0;
  EXPECT_GT(autocorrelation_time(step), 10.0);
  EXPECT_LE(autocorrelation_time(step), 20.0);
}

TEST(Autocorrelation, TimeCountsEachPairOfLagsNoMoreThanTheOneBefore) {
  std::vector<double>
      x;  // a trend with a ripple of 8 samples: the pair sums fall and rise again while positive
  for (int i = 0; i < 200; ++i) x.push_back(10.0 + 0.02 * i + std::sin(2.0 * std::numbers::pi * i / 8.0));
  double rising = 0.0, monotone = 0.0, smallest = 2.0;
  for (std::int64_t lag = 0;; lag += 2) {
    const double pair = autocorrelation(x, lag) + autocorrelation(x, lag + 1);
    if (pair <= 0.0) break;
    smallest = std::min(smallest, pair);
    rising += pair;
    monotone += smallest;
  }
  ASSERT_GT(rising, monotone + 0.5) << "the series does not show the difference";
  expect_close(autocorrelation_time(x), 2.0 * monotone - 1.0);
}

TEST(Autocorrelation, ThatIsWeakButCertainStillWidens) {
  const CounterRng rng(1, "weak");
  std::vector<double> x;  // neighbours share 5 % of their noise; 8192 of them prove it
  for (std::uint64_t i = 1; i <= 8192; ++i) x.push_back(10.0 + rng.normal(i) + 0.05 * rng.normal(i - 1));
  const double tau = autocorrelation_time(x);
  ASSERT_TRUE(tau > 1.0 && tau < 1.2 && ljung_box(x, 10).p < 0.01) << tau << ' ' << ljung_box(x, 10).p;
  EXPECT_EQ(effective_tau(x), tau);
  const std::vector<double> few(x.begin(), x.begin() + 130);  // as correlated, but too few to prove it
  ASSERT_TRUE(autocorrelation_time(few) > 1.0 && autocorrelation_time(few) < 1.2);
  EXPECT_EQ(effective_tau(few), 1.0);
}

}  // namespace
}  // namespace bench::analysis
