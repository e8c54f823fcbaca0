// SPDX-License-Identifier: Apache-2.0
#include "analysis/estimate_cells.hpp"

#include <fmt/format.h>

#include "src/core/units.hpp"

namespace bench::analysis {

std::string time_cell(const Estimate& time_s) {
  const TimeUnit unit = time_unit_for(time_s.value);
  if (!time_s.interval) return fmt::format("{:.4g} {} [too few]", time_s.value * unit.per_second, unit.name);
  return fmt::format("{:.4g} {} [{:.4g}, {:.4g}]", time_s.value * unit.per_second, unit.name, time_s.interval->lo * unit.per_second,
                     time_s.interval->hi * unit.per_second);
}

std::string ratio_cell(const std::optional<Estimate>& ratio) {
  if (!ratio) return "-";
  if (!ratio->interval) return fmt::format("{:.3g}", ratio->value);
  return fmt::format("{:.3g} [{:.3g}, {:.3g}]", ratio->value, ratio->interval->lo, ratio->interval->hi);
}

}  // namespace bench::analysis
