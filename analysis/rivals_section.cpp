// SPDX-License-Identifier: Apache-2.0
#include "analysis/rivals_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "analysis/estimate_cells.hpp"

namespace bench::analysis {
namespace {

/// The cells of one kernel in one sweep.
struct Cells {
  std::string sweep, kernel, baseline;
  std::vector<const CaseResult*> cases;
};

std::vector<Cells> cells_of(const RunRecord& run, const Results& results) {
  std::vector<Cells> all;
  std::map<std::pair<std::string, std::string>, std::size_t> row;
  for (const CaseResult& result : results.cases) {
    if (!result.speedup || !result.timed()) continue;
    const scaling::Case& c = run.cases[result.case_index];
    if (c.kernel == c.baseline) continue;
    for (const std::string& sweep : c.sweeps) {
      const auto [it, is_new] = row.try_emplace({sweep, c.kernel}, all.size());
      if (is_new) all.push_back({sweep.substr(sweep.find('/') + 1), c.kernel, c.baseline, {}});
      all[it->second].cases.push_back(&result);
    }
  }
  std::erase_if(all, [](const Cells& cells) { return cells.cases.size() < 2; });
  return all;
}

std::string mean_cell(const Cells& cells) {
  const auto n = static_cast<double>(cells.cases.size());
  double sum = 0.0, squares = 0.0;
  bool intervals = true;
  for (const CaseResult* result : cells.cases) {
    sum += std::log(result->speedup->value);
    intervals = intervals && result->speedup->interval.has_value();
    if (!intervals) continue;
    const double half = 0.5 * std::log(result->speedup->interval->hi / result->speedup->interval->lo);
    squares += half * half;
  }
  const double mean = std::exp(sum / n);
  const double factor = std::exp(std::sqrt(squares) / n);
  return ratio_cell(Estimate{mean, intervals ? std::optional(Interval{mean / factor, mean * factor}) : std::nullopt});
}

/// Least and most of the limit; "-" when a cell has none.
std::string limit_cell(const Cells& cells) {
  double least = 1e300, most = 0.0;
  for (const CaseResult* result : cells.cases) {
    if (result->limit.empty()) return "-";
    least = std::min(least, result->limit_fraction), most = std::max(most, result->limit_fraction);
  }
  return fmt::format("{:.0f}-{:.0f} %", 100.0 * least, 100.0 * most);
}

}  // namespace

Section rivals_section(const RunRecord& run, const Results& results) {
  Section section{"speed-up over the baseline, by sweep",
                  {{{"sweep"}, {"kernel"}, {"over"}, {"cells", true}, {"geometric mean", true}, {"least", true}, {"most", true}, {"of the limit", true}}, {}},
                  "One row per kernel and sweep: the mean over its cells with its interval, the cells where it is least and most, and what share of the limit they reach."};
  for (const Cells& cells : cells_of(run, results)) {
    const auto [least, most] =
        std::ranges::minmax_element(cells.cases, {}, [](const CaseResult* result) { return result->speedup->value; });
    section.table.rows.push_back({cells.sweep, cells.kernel, cells.baseline, fmt::format("{}", cells.cases.size()), mean_cell(cells),
                                  fmt::format("{:.3g}", (*least)->speedup->value), fmt::format("{:.3g}", (*most)->speedup->value), limit_cell(cells)});
  }
  return section;
}

}  // namespace bench::analysis
