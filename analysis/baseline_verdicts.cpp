// SPDX-License-Identifier: Apache-2.0
#include "analysis/baseline_verdicts.hpp"

#include <cmath>

#include "analysis/statistics/equivalence.hpp"
#include "analysis/statistics/multiplicity.hpp"
#include "analysis/statistics/welch.hpp"

namespace bench::analysis {
namespace {

std::vector<double> logarithms(const std::vector<double>& times_s) {
  std::vector<double> logs;
  for (const double time : times_s) logs.push_back(std::log(time));
  return logs;
}

}  // namespace

void add_verdicts(Results& results, const VerdictRule& rule) {
  std::vector<std::size_t> rivals;
  std::vector<double> p;
  for (std::size_t i = 0; i < results.cases.size(); ++i) {
    CaseResult& result = results.cases[i];
    if (!result.baseline_case || *result.baseline_case == i || !result.timed()) continue;
    const std::vector<double>& base = results.cases[*result.baseline_case].visit_medians_s;
    rivals.push_back(i);
    p.push_back(launch_ratio(base, result.visit_medians_s, rule.confidence).p);
    result.hedges_g = hedges_g(logarithms(result.visit_medians_s), logarithms(base));
  }
  const std::vector<double> adjusted = holm(p);
  for (std::size_t k = 0; k < rivals.size(); ++k) {
    CaseResult& result = results.cases[rivals[k]];
    const std::vector<double>& base = results.cases[*result.baseline_case].visit_medians_s;
    result.speedup_p = adjusted[k];
    result.verdict = decide_verdict({base, result.visit_medians_s, std::isnan(adjusted[k]) ? 1.0 : adjusted[k]}, rule).verdict;
  }
}

}  // namespace bench::analysis
