// SPDX-License-Identifier: Apache-2.0
// Gunther's Universal Scalability Law (1993, 2007): throughput of N ranks
// X(N) = g N / (1 + s (N - 1) + k N (N - 1)), with g the throughput of one, s contention (the serial share)
// and k coherence (each pair of ranks costs).
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

struct UslPoint {
  double ranks = 1.0;
  double throughput = 0.0;  // any unit
};

/// bounded: s >= 0 and k >= 0. superlinear: s may be negative, which says that more ranks help more than they
/// should (caches that start to fit, say); such a fit is labelled and is no law of scaling.
enum class UslMode { bounded, superlinear };
/// Which errors are taken to be equally likely: of the same size (what R's usl does), or of the same share.
enum class UslErrors { absolute, relative };

struct UslFit {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  double g = 0.0, s = 0.0, k = 0.0;
  std::array<double, 3> standard_error{kNone, kNone, kNone};  // of g, s, k; NaN for one that is at its bound
  double rss = 0.0;                                           // sum of squared errors, as UslErrors says
  std::int64_t degrees_of_freedom = 0;
  UslMode mode = UslMode::bounded;
  bool superlinear = false;  // s < 0
};

double usl_throughput(const UslFit& fit, double ranks);

/// Non-linear least squares: starts at the non-negative least squares of N/X, which is linear in 1/g, s/g and
/// k/g, and goes on by Levenberg & Marquardt (More 1978's scaling) until a step changes nothing to 1e-13. A
/// bound that the free minimum violates is held, each way it can be, and the best feasible minimum is taken.
/// Standard errors are those of the linearised problem at the minimum: RSS / (n - free parameters) times (J^T
/// J)^-1. nullopt below 4 points (three coefficients and one to judge them by), or when the points have no
/// such curve. Throws Error(internal) for a throughput that is not positive or N below 1.
std::optional<UslFit> fit_usl(std::span<const UslPoint> points, UslMode mode = UslMode::bounded,
                              UslErrors errors = UslErrors::absolute);

/// N* = sqrt((1 - s) / k), where throughput is highest; nullopt when it rises for ever (k = 0) or never (s >=
/// 1).
std::optional<double> usl_peak(const UslFit& fit);

/// The coefficients with their intervals: value +- t_{n - free} se. No interval at a bound.
std::array<Estimate, 3> usl_estimates(const UslFit& fit, double confidence);

}  // namespace bench::analysis
