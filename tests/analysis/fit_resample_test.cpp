// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/resample.hpp"

#include <cmath>
#include <functional>

#include "src/core/rng.hpp"
#include "tests/analysis/known_answers.hpp"

namespace bench::analysis {
namespace {

using Law = std::function<double(double)>;

double amdahl(double p) {
  return 5.0 + 95.0 / p;
}

/// Doublings from 1 rank on, so many visits each, with lognormal noise.
std::vector<CurvePoint> curve(const Law& law, std::size_t n, std::size_t visits, double noise,
                              std::uint64_t seed = 0) {
  const CounterRng rng(seed, "curve");
  std::vector<CurvePoint> points;
  for (std::size_t i = 0; i < n; ++i) {
    CurvePoint point{std::int64_t{1} << i, {}};
    for (std::size_t v = 0; v < visits; ++v)
      point.visits_s.push_back(law(static_cast<double>(point.ranks)) *
                               std::exp(noise * rng.normal(i * 100 + v)));
    points.push_back(point);
  }
  return points;
}

const std::vector<double> kAhead{128, 129};  // twice 64, and past it

TEST(Resample, OfExactTimesHasPointsForIntervals) {
  const CurveFit fit = fit_curve(curve(amdahl, 7, 3, 0.0), kAhead);
  ASSERT_TRUE(fit.interval[0] && fit.hold_out && fit.hold_out->inside);
  expect_close(fit.interval[0]->lo, 5.0, 1e-9);
  expect_close(fit.interval[1]->hi, 95.0, 1e-9);
  EXPECT_FALSE(fit.interval[2]) << "a term that the model does not have has none";
  expect_close(fit.predictions[0].time_s.value, amdahl(128), 1e-9);
  EXPECT_EQ(fit.hold_out->ranks, 64);
  EXPECT_NEAR(fit.hold_out->error, 0.0, 1e-9);
}

TEST(Resample, IsTheSameToTheBitEachTime) {
  const std::vector<CurvePoint> points = curve(amdahl, 7, 5, 0.02);
  const CurveFit one = fit_curve(points, kAhead), two = fit_curve(points, kAhead);
  EXPECT_EQ(one.interval[0]->lo, two.interval[0]->lo);
  EXPECT_EQ(one.predictions[1].time_s.interval->hi, two.predictions[1].time_s.interval->hi);
  EXPECT_NE(one.interval[0]->lo, fit_curve(points, kAhead, {.seed = 2}).interval[0]->lo);
}

TEST(Resample, FlagsWhatLiesBeyondTwiceTheLargestRankCount) {
  const CurveFit fit = fit_curve(curve(amdahl, 7, 3, 0.01), kAhead);
  EXPECT_FALSE(fit.predictions[0].far);
  EXPECT_TRUE(fit.predictions[1].far);
}

TEST(Resample, HasNoIntervalsWithoutVisitsToDrawFrom) {
  const CurveFit fit = fit_curve(curve(amdahl, 7, 2, 0.01), kAhead);
  ASSERT_NE(fit.fit.rung, nullptr);
  EXPECT_FALSE(fit.interval[0]);
  EXPECT_FALSE(fit.predictions[0].time_s.interval);
  ASSERT_TRUE(fit.hold_out) << "how far off it is can still be said";
  EXPECT_FALSE(fit.hold_out->inside) << "absent, not false";
}

TEST(Resample, OfTooFewPointsIsNoFitAtAll) {
  const CurveFit fit = fit_curve(curve(amdahl, 4, 3, 0.0), kAhead);
  EXPECT_EQ(fit.fit.note, "not fitted, n=4");
  EXPECT_TRUE(fit.predictions.empty());
  EXPECT_FALSE(fit.hold_out);
}

TEST(Resample, HoldsOutTheLargestEvenOfFivePoints) {
  const CurveFit fit = fit_curve(curve(amdahl, 5, 3, 0.0), kAhead);
  ASSERT_TRUE(fit.hold_out);
  EXPECT_EQ(fit.hold_out->model, "amdahl") << "too few are left to choose: the same model";
  EXPECT_NEAR(fit.hold_out->error, 0.0, 1e-9);
}

TEST(Resample, SeesALargestPointThatBreaksTheLaw) {
  std::vector<CurvePoint> points = curve(amdahl, 7, 3, 0.005);
  for (double& time_s : points.back().visits_s) time_s *= 1.5;  // a switch that is not there below 64 ranks
  const CurveFit fit = fit_curve(points, kAhead);
  ASSERT_TRUE(fit.hold_out && fit.hold_out->inside);
  EXPECT_FALSE(*fit.hold_out->inside);
  EXPECT_NEAR(fit.hold_out->error, 1.0 / 1.5 - 1.0, 0.03);
}

TEST(Resample, SpreadsAStandardErrorOverPointsWhoseVisitsAgreeByChance) {
  std::vector<CurvePoint> points = curve(amdahl, 7, 3, 0.01);
  points[3].visits_s.assign(3, points[3].visits_s[0]);
  const std::vector<TimePoint> times = time_points(points);
  EXPECT_GT(times[3].relative_se, 0.5 * times[2].relative_se);
  for (const TimePoint& time : time_points(curve(amdahl, 7, 2, 0.01))) EXPECT_EQ(time.relative_se, 0.0);
}

/// Of 200 curves the number whose band holds the held-out point, whose band holds one more point at 128
/// ranks, and whose interval of `a` holds 5.
struct Coverage {
  int hold_out = 0, ahead = 0, coefficient = 0;
};
Coverage coverage(std::size_t visits) {
  Coverage count;
  for (std::uint64_t draw = 0; draw < 200; ++draw) {
    const CurveFit fit = fit_curve(curve(amdahl, 7, visits, 0.02, draw), kAhead, {.resamples = 400});
    const CounterRng rng(draw, "ahead");
    double log = 0.0;
    for (std::size_t v = 0; v < visits; ++v) log += 0.02 * rng.normal(v) / static_cast<double>(visits);
    const auto holds = [](const std::optional<Interval>& i, double x) {
      return i && i->lo <= x && x <= i->hi;
    };
    count.hold_out += fit.hold_out->inside.value() ? 1 : 0;
    count.ahead += holds(fit.predictions[0].time_s.interval, amdahl(128) * std::exp(log)) ? 1 : 0;
    count.coefficient += holds(fit.interval[0], 5.0) ? 1 : 0;
  }
  return count;
}

TEST(Resample, CoversWhatItSays) {
  // 95 % of 200 are 190; three standard errors of that share are 9. Longer simulations give coefficients 93
  // to 94 %, and a point at twice the ranks 92 to 97 %, both less those nine.
  for (const std::size_t visits : {3U, 5U}) {
    const Coverage count = coverage(visits);
    EXPECT_GE(count.hold_out, 179) << visits << " visits";
    EXPECT_GE(count.ahead, 174) << visits << " visits";
    EXPECT_GE(count.coefficient, 176) << visits << " visits";
  }
}

}  // namespace
}  // namespace bench::analysis
