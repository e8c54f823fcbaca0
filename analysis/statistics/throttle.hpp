// SPDX-License-Identifier: Apache-2.0
// Which samples did a device take at a lowered clock?
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {

/// True where a sample's clock is below 95 % of the series' own 95th percentile. The reference is what this case reached here, not the
/// clock on the box: a default clock that the device never holds under this load would flag every sample, or none. Clocks in any unit; one
/// that is not a positive number (unavailable) is never flagged, and a series without any is all false.
inline std::vector<bool> throttled(std::span<const double> clocks) {
  constexpr double kReference = 0.95, kShare = 0.95;
  std::vector<double> known;
  for (const double clock : clocks)
    if (clock > 0.0 && std::isfinite(clock)) known.push_back(clock);
  std::vector<bool> flags(clocks.size(), false);
  if (known.empty()) return flags;
  const double least = kShare * quantile(sorted(known), kReference);
  for (std::size_t i = 0; i < clocks.size(); ++i) flags[i] = clocks[i] > 0.0 && clocks[i] < least;
  return flags;
}

}  // namespace bench::analysis
