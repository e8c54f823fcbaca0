// SPDX-License-Identifier: Apache-2.0
#include "analysis/add_column.hpp"
#include "analysis/crossovers.hpp"

namespace bench::analysis {

std::vector<Column> crossover_columns(const RunRecord& run, const Results& results) {
  std::vector<Column> columns;
  const std::vector<Crossover> rows = find_crossovers(run, results);
  const auto at_end = [&](const Crossover& c, bool own) -> std::string {  // the case of the largest size stands for its curve
    if (c.points.empty()) return {};
    return run.cases[results.cases[own ? c.points.back().own : c.points.back().other].case_index].id;
  };
  add(columns, "crossover", "1", "row number", rows, [&](const auto& c) { return static_cast<std::int64_t>(&c - rows.data()); });
  add(columns, "sweep", "", "study/sweep", rows, [](const auto& c) { return c.tag.sweep; });
  add(columns, "against", "", "study/sweep that it is held against", rows, [](const auto& c) { return c.tag.against; });
  add(columns, "along", "", "parameter that grows", rows, [](const auto& c) { return c.tag.along; });
  add(columns, "case", "", "fastest case of the sweep at the largest size; /cases has its parameters", rows, [&](const auto& c) { return at_end(c, true); });
  add(columns, "case_against", "", "the same of the other sweep", rows, [&](const auto& c) { return at_end(c, false); });
  add(columns, "n_points", "1", "sizes at which both have a time", rows, [](const auto& c) { return static_cast<std::int64_t>(c.points.size()); });
  add(columns, "crossing", "", "found, always (faster at every size), never (slower at the largest), too_little", rows, [](const auto& c) { return std::string(to_text(c.crossing)); });
  add(columns, "at", "1", "size from which on the sweep is the faster one", rows, [](const auto& c) { return c.at.value_or(kNone); });
  add(columns, "at_lo", "1", "where the upper ends of the ratios' intervals pass 1; NaN: not among these sizes", rows, [](const auto& c) { return c.lo.value_or(kNone); });
  add(columns, "at_hi", "1", "where the lower ends do", rows, [](const auto& c) { return c.hi.value_or(kNone); });
  add(columns, "predicted", "", "crossing of the limits", rows, [](const auto& c) { return std::string(to_text(c.predicted)); });
  add(columns, "predicted_at", "1", "size at which the two limits are equal", rows, [](const auto& c) { return c.predicted_at.value_or(kNone); });
  return columns;
}

}  // namespace bench::analysis
