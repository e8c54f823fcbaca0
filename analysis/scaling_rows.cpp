// SPDX-License-Identifier: Apache-2.0
#include "analysis/scaling_rows.hpp"

#include <algorithm>
#include <tuple>

namespace bench::analysis {
namespace {

std::vector<ScalingRow> tagged_rows(const RunRecord& run) {
  std::vector<ScalingRow> rows;
  for (std::size_t i = 0; i < run.cases.size(); ++i)
    for (const scaling::ScalingTag& tag : run.cases[i].scaling) {
      const Cost& cost = run.cases[i].cost;
      rows.push_back({.case_index = i, .tag = tag, .work = cost.flops > 0.0 ? cost.flops : cost.bytes});
    }
  const auto key = [&](const ScalingRow& row) {
    const scaling::Case& c = run.cases[row.case_index];
    return std::tie(row.tag.study, row.tag.mode, row.tag.by, c.kernel, row.tag.series, c.ranks);
  };
  std::ranges::stable_sort(rows, [&](const ScalingRow& a, const ScalingRow& b) { return key(a) < key(b); });
  return rows;
}

bool same_curve(const RunRecord& run, const ScalingRow& a, const ScalingRow& b) {
  return a.tag.study == b.tag.study && a.tag.mode == b.tag.mode && a.tag.by == b.tag.by && a.tag.series == b.tag.series &&
         run.cases[a.case_index].kernel == run.cases[b.case_index].kernel;
}

void fill(ScalingRow& row, const ScalingRow& base, const RunRecord& run, const Results& results) {
  const scaling::Case &c = run.cases[row.case_index], &b = run.cases[base.case_index];
  const double each = 1.0 - (1.0 - run.confidence) / 2.0;
  Estimate ratio{1.0, std::nullopt};  // the base against itself is 1 by definition, not by measurement
  if (row.case_index != base.case_index) ratio = time_ratio(run, results, base.case_index, row.case_index, each);
  const ScalingPoint from{b.ranks, base.work, {}}, to{c.ranks, row.work, {}};
  row.base_ranks = b.ranks;
  row.speedup = speedup(from, to, ratio);
  row.efficiency = efficiency(from, to, ratio);
  if (row.tag.mode == "strong") row.karp_flatt = karp_flatt(ratio.value, static_cast<double>(c.ranks) / static_cast<double>(b.ranks));
}

}  // namespace

std::vector<ScalingRow> scaling_rows(const RunRecord& run, const Results& results) {
  std::vector<ScalingRow> rows = tagged_rows(run);
  const ScalingRow* base = nullptr;  // of the curve we are in: the first row that ran
  for (ScalingRow& row : rows) {
    const CaseResult& result = results.cases[row.case_index];
    if (base != nullptr && !same_curve(run, *base, row)) base = nullptr;
    if (result.outcome != Outcome::ok) {
      row.note = concat(bench::to_text(result.outcome), ": ", result.reason);
    } else if (result.oversubscribed) {
      row.note = "ranks share cores: no efficiency is taken";
    } else {
      if (base == nullptr) base = &row;
      fill(row, *base, run, results);
    }
  }
  return rows;
}

}  // namespace bench::analysis
