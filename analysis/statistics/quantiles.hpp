// SPDX-License-Identifier: Apache-2.0
// Order statistics of a sorted sample.
#pragma once

#include <span>
#include <vector>

namespace bench::analysis {

std::vector<double> sorted(std::span<const double> values);
/// Type-7 quantile (Hyndman & Fan 1996): linear between the two order statistics around (n-1)q. `ascending` is sorted and not empty.
double quantile(std::span<const double> ascending, double q);
double median(std::span<const double> ascending);
/// Median absolute deviation about the median, unscaled; times 1.482602218505602 it estimates a normal's sd.
double median_absolute_deviation(std::span<const double> ascending);

}  // namespace bench::analysis
