// SPDX-License-Identifier: Apache-2.0
// Are the samples independent, and if not, how many independent ones are they worth? Series are in the order
// they were taken. A constant series, or one with a value that is not finite, counts as independent: nothing
// can be said of it.
#pragma once

#include <cstdint>
#include <span>

namespace bench::analysis {

/// Sample autocorrelation r_k = sum_t (x_t - m)(x_{t+k} - m) / sum_t (x_t - m)^2 at lag k >= 0; 0 for k >= n.
double autocorrelation(std::span<const double> x, std::int64_t lag);

struct LjungBox {
  double q = 0.0;
  double p = 1.0;  // P(chi-squared with `lags` degrees >= q)
};
/// Q = n (n+2) sum_{k=1..lags} r_k^2 / (n-k) (Ljung & Box 1978); `lags` is cut at n-1.
LjungBox ljung_box(std::span<const double> x, std::int64_t lags);
/// The number of lags used in this project: min(10, n/5).
std::int64_t ljung_box_lags(std::int64_t n);

/// Integrated autocorrelation time tau = 2 sum_k G_k - 1 by Geyer's initial monotone positive sequence
/// (1992): the pair sums G_k = r_{2k} + r_{2k+1}, as long as they are positive, made non-increasing. n / tau
/// is the effective sample size. Clamped to [1, n/2]: negative correlation never makes an interval narrower.
double autocorrelation_time(std::span<const double> x);

/// The tau to widen an interval with: 1 when the values agree to 1e-9, else autocorrelation_time when it is at least 1.2 or Ljung-Box rejects
/// independence at 1 %, else 1.
double effective_tau(std::span<const double> x);
/// The same when autocorrelation_time and Ljung-Box's test of x are known.
double effective_tau(std::span<const double> x, double tau, const LjungBox& test);

}  // namespace bench::analysis
