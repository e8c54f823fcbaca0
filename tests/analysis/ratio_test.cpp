// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/ratio.hpp"

#include "analysis/statistics/quantiles.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

Estimate median_of(const std::vector<double>& values, double confidence) {
  const std::vector<double> ascending = sorted(values);
  return {median(ascending), median_interval(ascending, confidence)};
}

TEST(Ratio, OfBenchstatsMediansIsTheKnownOne) {
  const double each = each_of_two(0.95);
  expect_close(each, 0.975);
  const Estimate faster = ratio(median_of(kJsonOld, each), median_of(kJsonNew, each), 0.95);
  expect_close(faster.value, 1.2077328646748682);
  ASSERT_TRUE(faster.interval);  // ten samples: ranks 2 and 9 cover 0.9785 of each median
  expect_close(faster.interval->lo, 1707.0 / 1426.0);
  expect_close(faster.interval->hi, 1736.0 / 1412.0);
  expect_close(faster.interval->confidence, 2 * 0.978515625 - 1.0);
  const Estimate same = ratio(median_of(kGobOld, each), median_of(kGobNew, each), 0.95);
  EXPECT_TRUE(same.interval->lo < 1.0 && 1.0 < same.interval->hi) << "that change did nothing";
}

TEST(Ratio, NeedsIntervalsThatHoldTogether) {
  const Estimate a{8.0, Interval{7.9, 8.1, 0.95}}, b{2.0, Interval{1.9, 2.1, 0.95}};
  EXPECT_FALSE(ratio(a, b, 0.95).interval) << "two at 95 % are only sure of 90 % together";
  ASSERT_TRUE(ratio(a, b, 0.90).interval);
  expect_close(ratio(a, b, 0.90).interval->confidence, 0.90);
}

TEST(Ratio, WithoutAnIntervalOnOneSideHasNone) {
  const Estimate a{8.0, Interval{7.9, 8.1, 0.975}}, bare{2.0, std::nullopt},
      from_zero{2.0, Interval{0.0, 2.1, 0.975}};
  EXPECT_FALSE(ratio(a, bare, 0.95).interval);
  EXPECT_FALSE(ratio(bare, a, 0.95).interval);
  EXPECT_FALSE(ratio(a, from_zero, 0.95).interval) << "never infinite";
  expect_close(ratio(a, bare, 0.95).value, 4.0);
}

TEST(Ratio, WelchFromSummaryFiguresIsTheKnownOne) {
  // T_b = 100, s = 2; T_p = 16.875, s = 0.5; ten visits each. Stated to six digits.
  const WelchRatio r = welch_ratio({std::log(100.0), 0.02, 10}, {std::log(16.875), 0.5 / 16.875, 10}, 0.95);
  expect_close(r.estimate.value / 8.0, 0.740741, 1e-6);
  expect_close(r.standard_error, 0.0113045, 3e-6);
  expect_close(r.degrees_of_freedom, 15.791, 3e-5);
  ASSERT_TRUE(r.estimate.interval);
  expect_close(r.estimate.interval->lo / 8.0, 0.723182, 1e-6);
  expect_close(r.estimate.interval->hi / 8.0, 0.758726, 1e-6);
}

TEST(Ratio, WelchOfVisitsIsTheKnownOne) {
  // Five launches a side with equal variances on the log scale but for rounding.
  const std::vector<double> before{10, 10.1, 9.9, 10.05, 9.95}, after{10.05, 10.15, 9.95, 10, 10.1};
  const WelchRatio r = welch_ratio(log_side(after), log_side(before), 0.95);
  expect_close(r.estimate.value, 1.005000249399234);
  ASSERT_TRUE(r.estimate.interval);
  expect_close(r.estimate.interval->lo, 0.9935071608765021);
  expect_close(r.estimate.interval->hi, 1.0166262922568645);
  const WelchRatio at_90 = welch_ratio(log_side(after), log_side(before), 0.90);
  expect_close(at_90.estimate.interval->lo, 0.9957219944052431);
  expect_close(at_90.estimate.interval->hi, 1.0143649602676732);
}

TEST(Ratio, TurnedRoundIsItsInverse) {
  const LogSide a = log_side(kJsonOld), b = log_side(kJsonNew);
  const Estimate forth = welch_ratio(a, b, 0.95).estimate, back = welch_ratio(b, a, 0.95).estimate;
  expect_close(forth.value * back.value, 1.0);
  expect_close(forth.interval->lo * back.interval->hi, 1.0);
}

TEST(Ratio, TwoVisitsGiveNoInterval) {
  const LogSide two = log_side(std::vector<double>{1.0, 1.1}),
                three = log_side(std::vector<double>{1.0, 1.1, 1.2});
  EXPECT_FALSE(welch_ratio(two, three, 0.95).estimate.interval);
  EXPECT_FALSE(welch_ratio(three, two, 0.95).estimate.interval);
  EXPECT_TRUE(welch_ratio(three, three, 0.95).estimate.interval);
  EXPECT_FALSE(geometric_mean(std::vector<double>{1.0, 1.1}, 0.95).interval);
}

TEST(Ratio, VisitsThatDoNotVaryHaveAnIntervalOfNoWidth) {
  const LogSide steady = log_side(std::vector<double>{2.0, 2.0, 2.0}),
                half = log_side(std::vector<double>{1.0, 1.0, 1.0});
  const WelchRatio r = welch_ratio(steady, half, 0.95);
  ASSERT_TRUE(r.estimate.interval);
  expect_close(r.estimate.interval->lo, 2.0);
  expect_close(r.estimate.interval->hi, 2.0);
}

TEST(Ratio, AVisitOfZeroSecondsGivesNoInterval) {
  const LogSide broken = log_side(std::vector<double>{0.0, 1.0, 1.0}),
                sound = log_side(std::vector<double>{1.0, 1.1, 1.2});
  EXPECT_FALSE(welch_ratio(sound, broken, 0.95).estimate.interval);
  EXPECT_FALSE(geometric_mean(std::vector<double>{0.0, 1.0, 1.0}, 0.95).interval);
}

TEST(Ratio, GeometricMeanOfPowersOfTwoIsTheMiddleOne) {
  const Estimate mean = geometric_mean(std::vector<double>{1.0, 2.0, 4.0}, 0.95);
  expect_close(mean.value, 2.0);
  ASSERT_TRUE(mean.interval);
  const double t_2 =
      0.95 / std::sqrt(2.0 * 0.975 * 0.025);  // Student's t has a closed form for 2 degrees of freedom
  expect_close(std::log(mean.interval->hi / 2.0),
               t_2 * std::log(2.0) / std::sqrt(3.0));  // the logs have sd ln 2
  expect_close(mean.interval->lo * mean.interval->hi, 4.0);
}

TEST(Ratio, RatesAreAveragedOverTime) {
  expect_close(total_rate(8.0, std::vector<double>{1.0, 2.0, 4.0}), 24.0 / 7.0);  // not (8 + 4 + 2) / 3
}

}  // namespace
}  // namespace bench::analysis
