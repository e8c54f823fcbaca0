// SPDX-License-Identifier: Apache-2.0
#include "analysis/scaling_rows.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <tuple>

#include "analysis/source_runs.hpp"
#include "scaling/parameters.hpp"

namespace bench::analysis {
namespace {

std::vector<ScalingRow> tagged_rows(const RunRecord& run) {
  std::vector<ScalingRow> rows;
  for (std::size_t i = 0; i < run.cases.size(); ++i)
    for (const scaling::ScalingTag& tag : run.cases[i].scaling) {
      const Cost& cost = run.cases[i].cost;
      rows.push_back({.case_index = i, .tag = tag, .work = cost.flops > 0.0 ? cost.flops : cost.bytes});
    }
  std::map<std::string, std::size_t>
      first;  // of a series: curves stand in the order of the study, not of their hashes
  for (const ScalingRow& row : rows) first.emplace(row.tag.series, row.case_index);
  const auto key = [&](const ScalingRow& row) {
    const scaling::Case& c = run.cases[row.case_index];
    return std::tie(row.tag.study, row.tag.mode, row.tag.by, c.kernel, first.at(row.tag.series), row.tag.base,
                    c.ranks);
  };
  std::ranges::stable_sort(rows, [&](const ScalingRow& a, const ScalingRow& b) { return key(a) < key(b); });
  return rows;
}

/// Points with one tag, on one kernel.
bool same_curve(const RunRecord& run, const ScalingRow& a, const ScalingRow& b) {
  return a.tag == b.tag && run.cases[a.case_index].kernel == run.cases[b.case_index].kernel;
}

Estimate inverse(const Estimate& ratio) {
  Estimate result{1.0 / ratio.value, std::nullopt};
  if (ratio.interval)
    result.interval =
        finite_interval(1.0 / ratio.interval->hi, 1.0 / ratio.interval->lo, ratio.interval->confidence);
  return result;
}

std::optional<double> tokens_of(const Params& params) {
  double tokens = static_cast<double>(scaling::replicas_of(params));
  for (const char* name : {"batch", "seq"}) {
    const auto it = params.find(name);
    const auto* count = it == params.end() ? nullptr : std::get_if<std::int64_t>(&it->second);
    if (count == nullptr) return std::nullopt;
    tokens *= static_cast<double>(*count);
  }
  return tokens;
}

class Curves {
 public:
  Curves(const RunRecord& run, const Results& results) : run_(run), results_(results), model_(run, results) {}

  /// All points of one curve, ranks ascending.
  void fill(std::span<ScalingRow> rows) const {
    const ScalingRow* base = base_of(rows);
    const std::string note = base != nullptr ? base_note(rows, case_of(*base).ranks) : "";
    for (ScalingRow& row : rows) {
      const CaseResult& result = results_.cases[row.case_index];
      if (base != nullptr) row.base_ranks = case_of(*base).ranks, row.base_note = note;
      if (result.outcome != Outcome::ok)
        row.note = concat(bench::to_text(result.outcome), ": ", result.reason);
      else if (result.functional_only)
        row.note = result.reason;
      else if (result.oversubscribed)
        row.note = "ranks share cores: no efficiency is taken";
      else if (&row != base &&
               !comparable_environments(results_.cases[base->case_index].environment, result.environment))
        row.note = "not in one environment with its base: no ratio is taken";
      else
        fill(row, *base);
    }
  }

 private:
  const scaling::Case& case_of(const ScalingRow& row) const { return run_.cases[row.case_index]; }
  bool ran(const ScalingRow& row) const {
    const CaseResult& result = results_.cases[row.case_index];
    return result.timed() && !result.oversubscribed;
  }

  /// The rank count that was wished for, if it ran; else the smallest that did.
  const ScalingRow* base_of(std::span<const ScalingRow> rows) const {
    for (const ScalingRow& row : rows)
      if (ran(row) && case_of(row).ranks == row.tag.base) return &row;
    const auto first = std::ranges::find_if(rows, [&](const ScalingRow& row) { return ran(row); });
    return first == rows.end() ? nullptr : &*first;
  }

  std::string base_note(std::span<const ScalingRow> rows, std::int64_t base_ranks) const {
    const std::int64_t wished = rows.front().tag.base;
    if (wished == 0 || wished == base_ranks) return {};
    const auto row =
        std::ranges::find_if(rows, [&](const ScalingRow& r) { return case_of(r).ranks == wished; });
    if (row == rows.end()) return concat(wished, " wished for: not in the study");
    const CaseResult& result = results_.cases[row->case_index];
    return concat(wished, " wished for: ", result.lack());
  }

  void fill(ScalingRow& row, const ScalingRow& base) const {
    const scaling::Case &c = case_of(row), &b = case_of(base);
    const double each = 1.0 - (1.0 - run_.confidence) / 2.0;
    Estimate ratio{1.0, std::nullopt};  // the base against itself is 1 by definition, not by measurement
    if (row.case_index != base.case_index)
      ratio = time_ratio(run_, results_, base.case_index, row.case_index, each);
    const ScalingPoint from{b.ranks, base.work, {}}, to{c.ranks, row.work, {}};
    const double rank_time_s = static_cast<double>(c.ranks) * results_.cases[row.case_index].time_s.value;
    row.rate_per_rank = row.work / rank_time_s;
    if (const auto tokens = tokens_of(c.params)) row.tokens_per_s_per_rank = *tokens / rank_time_s;
    row.time_ratio = inverse(ratio);
    row.time_ratio_ideal =
        row.work / static_cast<double>(c.ranks) / (base.work / static_cast<double>(b.ranks));
    row.speedup = speedup(from, to, ratio);
    row.efficiency = efficiency(from, to, ratio);
    row.superlinear = c.ranks > b.ranks && row.efficiency->interval && row.efficiency->interval->lo > 1.0;
    if (row.superlinear) row.note = concat("superlinear; work is ", row.work / base.work, " of the base's");
    if (row.tag.mode == "strong")
      row.karp_flatt = karp_flatt(ratio.value, static_cast<double>(c.ranks) / static_cast<double>(b.ranks));
    row.factors = model_.factors(base.case_index, row.case_index, row.efficiency->value);
  }

  const RunRecord& run_;
  const Results& results_;
  FactorModel model_;
};

}  // namespace

std::vector<ScalingRow> scaling_rows(const RunRecord& run, const Results& results) {
  std::vector<ScalingRow> rows = tagged_rows(run);
  const Curves curves(run, results);
  for (auto first = rows.begin(); first != rows.end();) {
    const auto last = std::find_if_not(first, rows.end(),
                                       [&](const ScalingRow& row) { return same_curve(run, *first, row); });
    curves.fill({first, last});
    first = last;
  }
  return rows;
}

}  // namespace bench::analysis
