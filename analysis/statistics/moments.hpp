// SPDX-License-Identifier: Apache-2.0
// Mean and standard deviation that survive large offsets.
#pragma once

#include <cmath>
#include <span>

namespace bench::analysis {

struct Moments {
  double mean = 0.0;
  double sd = 0.0;  // with n - 1; 0 for fewer than two values
};

/// Welford's recurrence (1962). The textbook E[x^2] - m^2 loses every digit of NIST's NumAcc4 (sd 0.1 around
/// 1e7); this keeps eight. The mean of equal values is that value, to the last bit: a plain sum over n is
/// not, and its rounding error would then look like a perfectly correlated series.
inline Moments moments_of(std::span<const double> values) {
  double mean = 0.0, squares = 0.0, n = 0.0;
  for (const double x : values) {
    n += 1.0;
    const double before = x - mean;
    mean += before / n;
    squares += before * (x - mean);
  }
  return {mean, n > 1.0 ? std::sqrt(squares / (n - 1.0)) : 0.0};
}

}  // namespace bench::analysis
