// SPDX-License-Identifier: Apache-2.0
// How sure a fitted curve of times is: visits drawn again, a band for what it foretells, and the largest rank
// count held out to see whether it would have been foretold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analysis/fits/time_model.hpp"
#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

/// One rank count of a curve: a time a visit. Its headline is their geometric mean.
struct CurvePoint {
  std::int64_t ranks = 1;
  std::vector<double> visits_s{};
};

struct CurveOptions {
  Ladder ladder = Ladder::strong;
  std::int64_t resamples = 2000;
  std::uint64_t seed = 1;
  double confidence = 0.95;
};

/// A time that was not measured. `far`: beyond twice the largest rank count, where no curve is to be trusted;
/// such a figure is no headline.
struct Prediction {
  double ranks = 1.0;
  Estimate time_s{};
  bool far = false;
};

/// The largest rank count, foretold from the others.
struct HoldOut {
  std::int64_t ranks = 0;
  std::string model{};
  double measured_s = 0.0;
  Estimate predicted_s{};
  double error = 0.0;            // predicted / measured - 1
  std::optional<bool> inside{};  // measured lies in the band; absent without one
};

struct CurveFit {
  TimeFit fit{};
  std::array<std::optional<Interval>, kTimeTerms> interval{};  // of a, b, c, d
  std::vector<Prediction> predictions{};
  std::optional<HoldOut> hold_out{};
};

/// Points for fit_time(). The standard error of a time is that of its mean log visit. With 3 or more visits
/// everywhere the variance of one point's visits is shrunk towards that of all, which counts as 12 further
/// degrees of freedom: three visits alone may agree by chance, and such a point would then own the curve.
/// With fewer, no point has a standard error.
std::vector<TimePoint> time_points(std::span<const CurvePoint> points);

/// Fits the ladder and says how sure it is. The same input gives the same bits: seed and order of draws are
/// fixed. A point with fewer than 3 visits leaves all without interval.
///
/// Intervals of coefficients: percentiles of refits of the chosen model to visits drawn with replacement
/// (Efron 1979). What is drawn is a visit's distance from its point's mean logarithm, from all points
/// together, for three visits have only ten ways to be drawn from themselves; it is sized to its point's
/// standard error, times t/z for the degrees of freedom that all visits have.
///
/// Bands: percentiles of refitted curves, each times exp(relative_sd t), t drawn from Student's distribution
/// with n_points - parameters degrees of freedom: where one more point would lie.
///
/// Hold-out: without the largest rank count the ladder is climbed anew where 5 points are left; the model of
/// the whole is refitted where fewer are. nullopt when not fitted, or when fewer than parameters + 2 points
/// are left.
CurveFit fit_curve(std::span<const CurvePoint> points, std::span<const double> predict_ranks,
                   const CurveOptions& options = {});

}  // namespace bench::analysis
