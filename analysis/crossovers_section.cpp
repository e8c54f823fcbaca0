// SPDX-License-Identifier: Apache-2.0
#include "analysis/crossovers_section.hpp"

#include <fmt/format.h>

#include "analysis/crossovers.hpp"
#include "analysis/estimate_cells.hpp"

namespace bench::analysis {
namespace {

std::string size_cell(std::optional<double> size) { return size ? fmt::format("{:.0f}", *size) : "?"; }

std::string place_cell(const Crossover& c) {
  if (c.crossing == Crossing::found) return concat(size_cell(c.at), " [", size_cell(c.lo), ", ", size_cell(c.hi), "]");
  if (c.crossing == Crossing::too_little) return "fewer than two sizes";
  return fmt::format("{} {}", c.crossing == Crossing::always ? "below" : "beyond", (c.crossing == Crossing::always ? c.points.front() : c.points.back()).at);
}

std::string predicted_cell(const Crossover& c) {
  if (c.predicted == Crossing::found) return size_cell(c.predicted_at);
  if (c.predicted == Crossing::too_little) return "-";
  return c.predicted == Crossing::always ? "below" : "beyond";
}

std::string after_study(const std::string& sweep) { return sweep.substr(sweep.find('/') + 1); }

}  // namespace

Section crossovers_section(const RunRecord& run, const Results& results) {
  Section section{"crossovers",
                  {{{"sweep"}, {"kernel"}, {"against"}, {"kernel"}, {"along"}, {"faster from", true}, {"limits say", true}, {"ratio at the least", true}, {"at the most", true}}, {}},
                  "`faster from`: the size from which on the sweep's fastest kernel beats the other's, on a line between measured sizes, [where the ratios' intervals leave it]; "
                  "`limits say`: where the two problems' limits on this machine cross; ratio: the other's time over the sweep's"};
  for (const Crossover& c : find_crossovers(run, results)) {
    if (c.points.empty()) continue;
    const auto kernel = [&](std::size_t row) { return run.cases[results.cases[row].case_index].kernel; };
    section.table.rows.push_back({after_study(c.tag.sweep), kernel(c.points.back().own), after_study(c.tag.against), kernel(c.points.back().other), c.tag.along, place_cell(c),
                                  predicted_cell(c), ratio_cell(c.points.front().ratio), ratio_cell(c.points.back().ratio)});
  }
  return section;
}

}  // namespace bench::analysis
