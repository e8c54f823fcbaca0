// SPDX-License-Identifier: Apache-2.0
// Sides of three times each, whose Welch test can be worked out with a pencil.
#pragma once

#include <cmath>
#include <vector>

namespace bench::analysis {

/// The fewest a verdict is made of. The logarithms lie at -sd, 0 and +sd around the median's, so sd is their
/// standard deviation. For two such sides Welch's t is u / (sd sqrt(2/3)) with 4 degrees of freedom, u the
/// difference of the logarithms of the medians.
inline std::vector<double> three(double median_s, double sd_log) {
  return {median_s * std::exp(sd_log), median_s * std::exp(-sd_log), median_s};
}

/// The ratio of the medians of two such sides for which Welch's t is `t`.
inline double ratio_of_t(double t, double sd_log) {
  return std::exp(t * sd_log * std::sqrt(2.0 / 3.0));
}

/// Two-sided p of Student's t with 4 degrees of freedom, where the distribution has a closed form:
/// 1 - 3/4 |t| / sqrt(w) (1 - t^2 / (12 w)), w = 1 + t^2 / 4. The known quantile: p(2.7764451) = 0.05.
inline double p_of_t4(double t) {
  const double w = 1.0 + t * t / 4.0;
  return 1.0 - 0.75 * std::abs(t) / std::sqrt(w) * (1.0 - t * t / (12.0 * w));
}

}  // namespace bench::analysis
