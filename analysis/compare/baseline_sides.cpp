// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/baseline_sides.hpp"

#include <map>

#include "analysis/compare/criteria.hpp"
#include "analysis/compare/run_side.hpp"

namespace bench::analysis {
namespace {

/// As a case of a side, with a launch's place taken by a visit.
Measured by_visits(const Measured& measured) {
  Measured copy = measured;
  copy.launches_s = measured.visits_s;
  return copy;
}

bool was_not_tried(Outcome outcome) {
  return outcome == Outcome::skipped || outcome == Outcome::infeasible || outcome == Outcome::interrupted;
}

Comparison judged(const RunRecord& run, const Results& results, const Policy& policy) {
  const auto [before, after] = baseline_sides(run, results);
  Comparison comparison = compare(before, after, policy.compare);
  apply_criteria(comparison, before, after, policy.criteria);
  return comparison;
}

}  // namespace

std::pair<Side, Side> baseline_sides(const RunRecord& run, const Results& results) {
  const Side all = run_side(run, results);
  std::pair<Side, Side> sides;
  sides.first.label = "baseline";
  sides.second.label = run.study;
  for (const CaseResult& result : results.cases) {
    if (!result.baseline_case || *result.baseline_case == result.case_index || was_not_tried(result.outcome)) continue;
    const std::string& id = run.cases[result.case_index].id;
    sides.first.cases[id] = by_visits(all.cases.at(run.cases[*result.baseline_case].id));
    sides.second.cases[id] = by_visits(all.cases.at(id));
  }
  return sides;
}

void blank_verdicts(const RunRecord& run, Results& results) {
  const Policy policy = parse_policy(run.policy, "policy");
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < run.cases.size(); ++i) index[run.cases[i].id] = i;
  for (const ComparisonRow& row : judged(run, results, policy).rows)
    if (row.verdict == Verdict::invalid) results.cases[index.at(row.key)].verdict = Verdict::invalid;
}

Section criteria_section(const RunRecord& run, const Results& results, const Policy& policy) {
  Section section{"criteria against the baseline", {{{"case"}, {"criterion"}, {"state"}, {"figures"}}, {}}, {}};
  if (is_empty(policy.criteria)) return section;
  const Comparison comparison = judged(run, results, policy);
  const auto add = [&](CriterionResult::State wanted, const char* word) {
    for (const ComparisonRow& row : comparison.rows)
      for (const CriterionResult& criterion : row.criteria)
        if (criterion.state == wanted) section.table.rows.push_back({row.name, criterion.name, word, criterion.reason});
  };
  add(CriterionResult::State::failed, "failed");
  add(CriterionResult::State::not_measured, "not measured");
  add(CriterionResult::State::met, "met");
  section.note = "a case that fails on accuracy has no verdict on speed";
  return section;
}

}  // namespace bench::analysis
