// SPDX-License-Identifier: Apache-2.0
#include "analysis/overlaps_section.hpp"

#include "analysis/estimate_cells.hpp"
#include "analysis/overlaps.hpp"
#include "analysis/varying_parameters.hpp"

namespace bench::analysis {

Section overlaps_section(const RunRecord& run, const Results& results) {
  Section section{"overlap of exchange and compute", {{{"kernel"}}, {}},
                  "overlap: (compute + exchange - whole) / the shorter of the two parts, 1 when it is hidden to the end, below 0 when they slow each other down; "
                  "exposed: the share of the call that the exchange adds"};
  const std::vector<Overlap> overlaps = find_overlaps(run, results);
  Rows rows;
  for (const Overlap& o : overlaps) rows.push_back(&results.cases[o.row]);
  std::vector<std::string> vary = varying_parameters(run, rows);
  std::erase(vary, "part");  // of a part whose whole is not there
  for (const std::string& name : vary) section.table.heads.push_back({name, true});
  for (const char* name : {"whole", "compute", "exchange", "overlap", "exposed"}) section.table.heads.push_back({name, true});
  const auto time = [&](const std::optional<std::size_t>& row) { return row ? time_cell(results.cases[*row].time_s) : "-"; };
  for (const Overlap& o : overlaps) {
    const scaling::Case& c = run.cases[results.cases[o.row].case_index];
    std::vector<std::string> cells{c.kernel};
    for (std::string& cell : parameter_cells(c, vary)) cells.push_back(std::move(cell));
    for (std::string& cell : std::vector<std::string>{time(o.whole), time(o.compute), time(o.exchange), ratio_cell(o.overlap), ratio_cell(o.exposed)}) cells.push_back(std::move(cell));
    section.table.rows.push_back(std::move(cells));
  }
  return section;
}

}  // namespace bench::analysis
