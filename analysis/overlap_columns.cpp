// SPDX-License-Identifier: Apache-2.0
#include "analysis/add_column.hpp"
#include "analysis/overlaps.hpp"

namespace bench::analysis {

std::vector<Column> overlap_columns(const RunRecord& run, const Results& results) {
  std::vector<Column> columns;
  const std::vector<Overlap> rows = find_overlaps(run, results);
  const auto id = [&](std::optional<std::size_t> row) { return row ? run.cases[results.cases[*row].case_index].id : std::string(); };
  const auto time = [&](std::optional<std::size_t> row) { return row ? results.cases[*row].time_s.value : kNone; };
  add(columns, "call", "1", "row number", rows, [&](const auto& o) { return static_cast<std::int64_t>(&o - rows.data()); });
  add(columns, "case", "", "the whole call; /cases has its parameters; empty: not timed", rows, [&](const auto& o) { return id(o.whole); });
  add(columns, "case_compute", "", "the same with part = compute; empty: not timed", rows, [&](const auto& o) { return id(o.compute); });
  add(columns, "case_exchange", "", "the same with part = exchange; empty: not timed", rows, [&](const auto& o) { return id(o.exchange); });
  add(columns, "time", "s", "T of the whole call", rows, [&](const auto& o) { return time(o.whole); });
  add(columns, "compute", "s", "Tc of what its ranks compute, without the exchange", rows, [&](const auto& o) { return time(o.compute); });
  add(columns, "exchange", "s", "Tm of what they exchange, without the compute", rows, [&](const auto& o) { return time(o.exchange); });
  add(columns, "overlap", "1", "(Tc + Tm - T) / min(Tc, Tm): 1 when the shorter part is hidden", rows, [](const auto& o) { return value(o.overlap); });
  add(columns, "overlap_lo", "1", "lower end of the interval of overlap", rows, [](const auto& o) { return lo(o.overlap); });
  add(columns, "overlap_hi", "1", "upper end of the interval of overlap", rows, [](const auto& o) { return hi(o.overlap); });
  add(columns, "exposed", "1", "1 - Tc / T: share of the call that the exchange adds", rows, [](const auto& o) { return value(o.exposed); });
  add(columns, "exposed_lo", "1", "lower end of the interval of exposed", rows, [](const auto& o) { return lo(o.exposed); });
  add(columns, "exposed_hi", "1", "upper end of the interval of exposed", rows, [](const auto& o) { return hi(o.exposed); });
  return columns;
}

}  // namespace bench::analysis
