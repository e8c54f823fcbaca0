// SPDX-License-Identifier: Apache-2.0
// Akaike's information criterion, corrected for few points: what a further parameter must earn.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace bench::analysis {

/// A model with more parameters is taken only when its AICc is lower by more than this (Burnham & Anderson
/// 2002: models within 2 units have much the same support).
inline constexpr double kClearlyBetter = 2.0;
/// Relative error below which a residual is rounding: no time is known better.
inline constexpr double kRounding = 1e-9;

/// AICc = n ln(RSS / n) + 2k + 2k(k + 1)/(n - k - 1) (Hurvich & Tsai 1989) of a fit to relative errors with k
/// parameters, the variance among them. RSS / n counts as at least kRounding^2. NaN for n <= k + 1.
inline double aicc(double rss, double n, double k) {
  if (n - k - 1.0 <= 0.0) return std::numeric_limits<double>::quiet_NaN();
  const double variance = std::max(rss / n, kRounding * kRounding);
  return n * std::log(variance) + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0);
}

}  // namespace bench::analysis
