// SPDX-License-Identifier: Apache-2.0
// Order statistics of a sorted sample. Values keep their unit; `ascending` is sorted, finite and not empty.
#pragma once

#include <span>
#include <vector>

namespace bench::analysis {

/// Makes the MAD of a normal sample estimate its standard deviation: 1 / (3/4 quantile of N(0,1)).
inline constexpr double kMadToSd = 1.482602218505602;

/// A sorted copy. NaNs, which order nothing, come last so that a damaged file cannot break the sort.
std::vector<double> sorted(std::span<const double> values);
/// Type-7 quantile (Hyndman & Fan 1996): with h = (n-1) q, x_(floor h) + (h - floor h) (x_(floor h + 1) -
/// x_(floor h)), 0-based. Throws Error(internal) for an empty sample or q outside [0, 1].
double quantile(std::span<const double> ascending, double q);
double median(std::span<const double> ascending);
/// MAD = median |x - median|, unscaled.
double median_absolute_deviation(std::span<const double> ascending);
/// MADN = 1.4826 MAD: a standard deviation that up to half of the sample cannot spoil.
double normalised_mad(std::span<const double> ascending);

/// False when the values agree to 1e-9 of themselves: what is left is the rounding of differences of clock readings, which can follow a
/// pattern that means nothing. False for fewer than two values.
bool varies(std::span<const double> values);

}  // namespace bench::analysis
