// SPDX-License-Identifier: Apache-2.0
// Are the samples independent, and if not, how many independent ones are they worth?
#pragma once

#include <cstdint>
#include <span>

namespace bench::analysis {

/// Sample autocorrelation at `lag`: sum (x_t - m)(x_{t+lag} - m) / sum (x_t - m)^2. 0 for a constant series.
double autocorrelation(std::span<const double> x, std::int64_t lag);

struct LjungBox {
  double q = 0.0;
  double p = 1.0;  // P(chi-squared with `lags` degrees >= q)
};
/// Q = n (n+2) sum_{k=1..lags} r_k^2 / (n-k) (Ljung & Box 1978).
LjungBox ljung_box(std::span<const double> x, std::int64_t lags);
/// The number of lags used here: min(10, n/5).
std::int64_t ljung_box_lags(std::int64_t n);

/// Integrated autocorrelation time by Geyer's initial monotone positive sequence (1992): sums of neighbouring lags, as long as they are
/// positive, made non-increasing. 1 means independent; n/tau is the effective sample size. Clamped to [1, n/2].
double autocorrelation_time(std::span<const double> x);

}  // namespace bench::analysis
