// SPDX-License-Identifier: Apache-2.0
#include "analysis/add_column.hpp"
#include "analysis/winners.hpp"

namespace bench::analysis {

std::vector<Column> winner_columns(const RunRecord& run, const Results& results) {
  std::vector<Column> columns;
  const std::vector<Winner> rows = find_winners(run, results);
  const auto of = [&](const Winner& w, std::size_t place) -> const scaling::Case& { return run.cases[results.cases[w.order[place]].case_index]; };
  add(columns, "problem", "1", "row number", rows, [&](const auto& w) { return static_cast<std::int64_t>(&w - rows.data()); });
  add(columns, "case", "", "identity of the fastest case; /cases has its parameters", rows, [&](const auto& w) { return of(w, 0).id; });
  add(columns, "workload", "", "op", rows, [&](const auto& w) { return of(w, 0).op; });
  add(columns, "kernel", "", "the fastest implementation of this problem", rows, [&](const auto& w) { return of(w, 0).kernel; });
  add(columns, "n_kernels", "1", "implementations with a time for it", rows, [](const auto& w) { return static_cast<std::int64_t>(w.order.size()); });
  add(columns, "second", "", "the next one", rows, [&](const auto& w) { return of(w, 1).kernel; });
  add(columns, "ahead", "1", "the second's time / the fastest's", rows, [](const auto& w) { return w.ahead.value; });
  add(columns, "ahead_lo", "1", "lower end of the interval of ahead", rows, [](const auto& w) { return lo(w.ahead); });
  add(columns, "ahead_hi", "1", "upper end of the interval of ahead", rows, [](const auto& w) { return hi(w.ahead); });
  add(columns, "lead", "", "clear, tied, or insufficient visits to tell", rows, [](const auto& w) { return std::string(to_text(w.lead)); });
  add(columns, "tied", "", "implementations that were not shown to be slower", rows, [&](const auto& w) {
    std::string names;
    for (const std::size_t i : w.tied) names += concat(names.empty() ? "" : " ", run.cases[results.cases[i].case_index].kernel);
    return names;
  });
  return columns;
}

}  // namespace bench::analysis
