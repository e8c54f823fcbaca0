// SPDX-License-Identifier: Apache-2.0
#include "analysis/winners.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/case_parameters.hpp"
#include "analysis/scaling_rows.hpp"
#include "analysis/source_runs.hpp"
#include "analysis/statistics/equivalence.hpp"
#include "analysis/statistics/multiplicity.hpp"

namespace bench::analysis {
namespace {

/// Measured rows by problem, in the order of the cases, each fastest first; only problems with rivals.
std::vector<Winner> measured_problems(const RunRecord& run, const Results& results) {
  std::vector<Winner> problems;
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < results.cases.size(); ++i) {
    const CaseResult& result = results.cases[i];
    if (!result.whole() || result.oversubscribed) continue;
    const auto [it, is_new] = index.try_emplace(parameters_key(run.cases[result.case_index]), problems.size());
    if (is_new) problems.emplace_back();
    std::vector<std::size_t>& order = problems[it->second].order;
    if (order.empty() || comparable_environments(results.cases[order.front()].environment, result.environment)) order.push_back(i);
  }
  std::erase_if(problems, [](const Winner& problem) { return problem.order.size() < 2; });
  for (Winner& problem : problems)
    std::ranges::stable_sort(problem.order, {}, [&](std::size_t i) { return results.cases[i].time_s.value; });
  return problems;
}

/// Of all pairs of rivals, problem by problem, as (0, 1), (0, 2), ..., (1, 2), ...; adjusted over all of them.
std::vector<double> adjusted_p(const std::vector<Winner>& problems, const Results& results, double confidence) {
  std::vector<double> p;
  for (const Winner& problem : problems)
    for (std::size_t a = 0; a < problem.order.size(); ++a)
      for (std::size_t b = a + 1; b < problem.order.size(); ++b)
        p.push_back(launch_ratio(results.cases[problem.order[a]].visit_medians_s, results.cases[problem.order[b]].visit_medians_s, confidence).p);
  return holm(p);
}

/// `p` of the first against each of its rivals.
void judge(Winner& problem, std::span<const double> p, const Results& results, const VerdictRule& rule) {
  const std::vector<double>& first = results.cases[problem.order.front()].visit_medians_s;
  bool enough = true;
  for (std::size_t k = 1; k < problem.order.size(); ++k) {
    const Verdict verdict = decide_verdict({first, results.cases[problem.order[k]].visit_medians_s, std::isnan(p[k - 1]) ? 1.0 : p[k - 1]}, rule).verdict;
    enough = enough && verdict != Verdict::insufficient;
    if (verdict != Verdict::slower) problem.tied.push_back(problem.order[k]);
  }
  problem.lead = !enough ? Lead::insufficient : problem.tied.empty() ? Lead::clear : Lead::tied;
}

}  // namespace

std::string_view to_text(Lead lead) {
  return lead == Lead::clear ? "clear" : lead == Lead::tied ? "tied" : "insufficient";
}

std::vector<Winner> find_winners(const RunRecord& run, const Results& results) {
  std::vector<Winner> problems = measured_problems(run, results);
  const VerdictRule rule{.confidence = run.confidence};
  const std::vector<double> p = adjusted_p(problems, results, rule.confidence);
  std::size_t first = 0;
  for (Winner& problem : problems) {
    const std::size_t rivals = problem.order.size();
    judge(problem, std::span(p).subspan(first, rivals - 1), results, rule);
    problem.ahead = time_ratio(run, results, problem.order[1], problem.order[0], each_of_two(run.confidence));
    first += rivals * (rivals - 1) / 2;
  }
  return problems;
}

}  // namespace bench::analysis
