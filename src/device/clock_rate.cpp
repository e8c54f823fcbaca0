// SPDX-License-Identifier: Apache-2.0
#include "src/device/clock_rate.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace bench::device {

double clock_mhz(std::span<const Stamp> begin, std::span<const Stamp> end, std::uint64_t step_ns) {
  std::vector<double> rates;
  for (std::size_t sm = 0; sm < std::min(begin.size(), end.size()); ++sm) {
    const Stamp &a = begin[sm], &b = end[sm];
    if (a.ns == 0 || b.ns <= a.ns || b.cycles <= a.cycles) continue;
    if (b.ns - a.ns < kStepsToTrust * step_ns) continue;
    rates.push_back(1e3 * static_cast<double>(b.cycles - a.cycles) / static_cast<double>(b.ns - a.ns));
  }
  if (rates.empty()) return std::numeric_limits<double>::quiet_NaN();
  // The upper one of two: SMs share a clock.
  const auto middle = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
  std::ranges::nth_element(rates, middle);
  return *middle;
}

}  // namespace bench::device
