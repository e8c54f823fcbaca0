// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/usl.hpp"

#include <cmath>

#include "src/core/error.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

std::vector<UslPoint> points_of(const std::vector<double>& ranks, const std::vector<double>& throughput) {
  std::vector<UslPoint> points;
  for (std::size_t i = 0; i < ranks.size(); ++i) points.push_back({ranks[i], throughput[i]});
  return points;
}

std::vector<UslPoint> law(double g, double s, double k) {
  const UslFit truth{.g = g, .s = s, .k = k};
  std::vector<UslPoint> points;
  for (const double n : {1, 2, 4, 8, 16, 32, 64}) points.push_back({n, usl_throughput(truth, n)});
  return points;
}

/// SPEC SDM91 (Gunther 2007), the data set of R's package usl.
const std::vector<UslPoint> kSdm91 =
    points_of({1, 18, 36, 72, 108, 144, 216}, {64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2});

TEST(Usl, FollowsTheKnownCurve) {
  const std::vector<double> known{100, 195.886, 375.235, 684.932, 1126.761, 1512.287, 1496.726};
  const std::vector<UslPoint> curve = law(100, 0.02, 0.0005);
  for (std::size_t i = 0; i < known.size(); ++i) EXPECT_NEAR(curve[i].throughput, known[i], 5e-4);
}

TEST(Usl, IsFoundExactlyFromItsOwnCurve) {
  for (const UslErrors errors : {UslErrors::absolute, UslErrors::relative}) {
    const UslFit fit = fit_usl(law(100, 0.02, 0.0005), UslMode::bounded, errors).value();
    expect_close(fit.g, 100.0, 1e-9);
    expect_close(fit.s, 0.02, 1e-9);
    expect_close(fit.k, 0.0005, 1e-9);
    EXPECT_NEAR(usl_peak(fit).value(), 44.2719, 5e-5);
    EXPECT_NEAR(usl_throughput(fit, usl_peak(fit).value()), 1568.089, 5e-4);
  }
}

TEST(Usl, OfTheSixLoadsOfRsOwnTestIsTheKnownOne) {
  const UslFit fit =
      fit_usl(points_of({1, 2, 4, 6, 8, 10}, {1, 1.8868, 3.0769, 3.5294, 3.5398, 3.3557})).value();
  EXPECT_NEAR(fit.s, 0.02, 5e-5);
  EXPECT_NEAR(fit.k, 0.02, 5e-5);
  EXPECT_NEAR(fit.g, 1.0, 5e-4);
  EXPECT_NEAR(usl_peak(fit).value(), 7.0, 5e-4);
}

TEST(Usl, OfSpecSdm91IsWhatRReports) {
  const UslFit fit = fit_usl(kSdm91).value();
  EXPECT_NEAR(fit.g, 89.995, 5e-4);
  EXPECT_NEAR(fit.s, 0.02773, 5e-6);
  EXPECT_NEAR(fit.k, 0.000104, 5e-7);
  EXPECT_NEAR(fit.standard_error[0], 14.2, 0.05);
  EXPECT_NEAR(fit.standard_error[1], 0.0091, 5e-5);
  EXPECT_NEAR(fit.standard_error[2], 0.00002, 5e-6);
  EXPECT_NEAR(usl_peak(fit).value(), 96.52, 5e-3);
  EXPECT_NEAR(usl_throughput(fit, usl_peak(fit).value()), 1883.9, 0.06);
  EXPECT_EQ(fit.degrees_of_freedom, 4);
  const Estimate contention = usl_estimates(fit, 0.95)[1];
  ASSERT_TRUE(contention.interval);
  EXPECT_NEAR(contention.interval->lo, 0.0024, 5e-5);
  EXPECT_NEAR(contention.interval->hi, 0.0531, 5e-5);
}

TEST(Usl, DoesNotDependOnTheUnitOfThroughput) {
  std::vector<UslPoint> scaled = kSdm91;
  for (UslPoint& p : scaled) p.throughput *= 1e12;  // FLOP/s
  const UslFit fit = fit_usl(scaled).value(), plain = fit_usl(kSdm91).value();
  expect_close(fit.g, 1e12 * plain.g, 1e-8);
  expect_close(fit.s, plain.s, 1e-8);
  expect_close(fit.standard_error[1], plain.standard_error[1], 1e-6);
}

TEST(Usl, HoldsSuperlinearCurvesAtTheBoundUnlessToldNotTo) {
  const std::vector<UslPoint> faster = law(100, -0.005, 0.0002);
  const UslFit bounded = fit_usl(faster).value();
  EXPECT_EQ(bounded.s, 0.0);
  EXPECT_TRUE(std::isnan(bounded.standard_error[1])) << "at a bound there is no standard error";
  EXPECT_FALSE(usl_estimates(bounded, 0.95)[1].interval);
  EXPECT_FALSE(bounded.superlinear);
  const UslFit free = fit_usl(faster, UslMode::superlinear).value();
  expect_close(free.s, -0.005, 1e-9);
  EXPECT_TRUE(free.superlinear) << "and says so";
}

TEST(Usl, OfPerfectScalingHasNoPeak) {
  const UslFit fit = fit_usl(law(100, 0.0, 0.0)).value();
  expect_close(fit.g, 100.0, 1e-9);
  EXPECT_EQ(fit.s, 0.0);
  EXPECT_EQ(fit.k, 0.0) << "rounding is no coherence";
  EXPECT_FALSE(usl_peak(fit));
  EXPECT_FALSE(usl_peak({.g = 1.0, .s = 0.1, .k = 0.0})) << "rises for ever";
}

TEST(Usl, NeedsFourPointsAndPositiveThroughput) {
  EXPECT_FALSE(fit_usl(points_of({1, 2, 4}, {1, 1.9, 3.5})));
  EXPECT_THROW(fit_usl(points_of({1, 2, 4, 8}, {1, 1.9, 3.5, 0})), Error);
}

}  // namespace
}  // namespace bench::analysis
