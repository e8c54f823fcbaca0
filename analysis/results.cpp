// SPDX-License-Identifier: Apache-2.0
#include "analysis/results.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "analysis/audit.hpp"
#include "analysis/baseline_verdicts.hpp"
#include "analysis/case_parameters.hpp"
#include "analysis/compare/baseline_sides.hpp"
#include "analysis/sample_times.hpp"
#include "analysis/scaling_rows.hpp"
#include "analysis/source_runs.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/stop.hpp"
#include "scaling/parameters.hpp"

namespace bench::analysis {
namespace {

/// `tau` is effective_tau(samples).
Estimate median_estimate(const std::vector<double>& samples, double tau, double confidence) {
  const std::vector<double> ascending = sorted(samples);
  return {median(ascending), median_interval(ascending, confidence, tau)};
}

double imbalance_of(const VisitRecord& visit) {
  const auto ranks = static_cast<std::size_t>(visit.ranks);
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t i = 0; i + ranks <= visit.rank_time_s.size(); i += ranks, ++count) {
    const auto first = visit.rank_time_s.begin() + static_cast<std::ptrdiff_t>(i);
    const auto last = first + static_cast<std::ptrdiff_t>(ranks);
    sum += *std::max_element(first, last) * static_cast<double>(ranks) / std::accumulate(first, last, 0.0) - 1.0;
  }
  return count > 0 ? sum / static_cast<double>(count) : 0.0;
}

void add_visit(CaseResult& result, const VisitRecord& visit, double confidence) {
  for (const Check& check : visit.checks) {
    if (result.tolerance > 0.0 && check.error * result.tolerance < result.error * check.tolerance) continue;
    result.error = check.error;
    result.tolerance = check.tolerance;
  }
  if (!visit.figures.empty()) result.figures = visit.figures;
  result.peak_memory_bytes = std::max(result.peak_memory_bytes, visit.peak_memory_bytes);
  result.device_peak_bytes = std::max(result.device_peak_bytes, visit.device_peak_bytes);
  if (visit.enqueue_s > 0.0) result.enqueue_s = result.enqueue_s > 0.0 ? std::min(result.enqueue_s, visit.enqueue_s) : visit.enqueue_s;
  result.wire_bytes = std::max(result.wire_bytes, visit.wire_bytes);
  result.oversubscribed |= visit.oversubscribed;
  if (visit.outcome != Outcome::ok) {
    result.outcome = visit.outcome;
    result.reason = visit.reason;
    return;
  }
  if (result.n_visits == 0) result.outcome = Outcome::ok;
  if (visit.functional_only) return;
  const std::vector<double> samples = valid_times(visit);
  result.n_visits += 1;
  result.n_left_out += static_cast<std::int64_t>(sample_times(visit).size() - samples.size());
  if (const std::vector<double> skews = start_skews(visit); !skews.empty())
    result.start_skew_s = std::max(result.start_skew_s.value_or(0.0), median(sorted(skews)));
  result.n += static_cast<std::int64_t>(samples.size());
  result.stop_reason = visit.stop_reason;
  const double tau = effective_tau(samples);
  result.tau = std::max(result.tau, tau);
  result.imbalance = std::max(result.imbalance, imbalance_of(visit));
  result.time_s = median_estimate(samples, tau, confidence);
  result.visit_medians_s.push_back(result.time_s.value);
}

double flops_limit(const Limits& limits, const scaling::Case& c) {
  const auto it = c.params.find("dtype");
  const std::string dtype = it != c.params.end() ? bench::to_text(it->second) : "fp32";
  if (dtype == "fp64") return limits.fp64_flops_per_s;
  if (dtype == "fp16" && limits.fp16_flops_per_s > 0.0) return limits.fp16_flops_per_s;
  return dtype == "bf16" ? limits.bf16_flops_per_s : limits.fp32_flops_per_s;
}

/// The physical limit is the slowest of the three resources at its measured rate.
void add_limit(CaseResult& result, const scaling::Case& c, const RunRecord& run) {
  const Width width = scaling::is_on_device(c.kernel) ? Width{c.ranks, 1, true} : Width{c.ranks, c.threads};
  const auto it = run.limits.find(width);
  if (it == run.limits.end() || result.oversubscribed) return;  // ranks that share a core share its limit in no known proportion
  const auto needs = [&](const char* name, double seconds) {
    if (!std::isfinite(seconds) || seconds <= result.limit_s) return;  // not finite: its rate was not measured
    result.limit_s = seconds;
    result.limit = name;
  };
  needs("compute", c.cost.flops / flops_limit(it->second, c));
  needs("memory", least_memory_time_s(it->second, c.cost.bytes, c.cost.bytes_written, scaling::is_cold(c.params) ? HUGE_VAL : c.cost.bytes / static_cast<double>(width.parts())));
  needs("exp", c.cost.exps / it->second.exps_per_s);
  result.limit_fraction = result.limit_s / result.time_s.value;
}

void finish(CaseResult& result, const scaling::Case& c, const RunRecord& run) {
  if (result.outcome != Outcome::ok) {
    result.time_s = {};
    result.n = result.n_visits = 0;
    result.visit_medians_s.clear();
    result.visits.clear();
    return;
  }
  if (result.n_visits == 0) {
    result.functional_only = true;
    result.reason = "functional only: ranks shared a device, so the answer was checked and nothing was timed";
    return;
  }
  if (result.n_visits > 1) result.time_s = geometric_mean(result.visit_medians_s, run.confidence);
  if (result.part) return;
  result.flops_per_s = c.cost.flops / result.time_s.value;
  result.bytes_per_s = c.cost.bytes / result.time_s.value;
  add_limit(result, c, run);
}

/// Key of a problem: what rivals share. Layout says how it is done, not what.
std::string problem_key(const scaling::Case& c) { return parameters_key(c, "layout"); }

void add_speedups(Results& results, const RunRecord& run) {
  std::map<std::string, std::size_t> by_problem;  // "kernel problem" -> case
  for (std::size_t i = 0; i < run.cases.size(); ++i) by_problem[run.cases[i].kernel + ' ' + problem_key(run.cases[i])] = i;
  const double each = 1.0 - (1.0 - run.confidence) / 2.0;
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    const scaling::Case& c = run.cases[i];
    const auto base = by_problem.find(c.baseline + ' ' + problem_key(c));
    if (base == by_problem.end() || !results.cases[base->second].whole()) continue;
    if (!comparable_environments(results.cases[i].environment, results.cases[base->second].environment)) continue;
    results.cases[i].baseline_case = base->second;
    if (!results.cases[i].whole()) continue;
    // The baseline against itself is 1 by definition, not by measurement.
    results.cases[i].speedup = base->second == i ? Estimate{1.0, std::nullopt} : time_ratio(run, results, base->second, i, each);
  }
}

void mark_contended(Results& results, const RunRecord& run) {
  std::set<std::string> kernels;
  for (const AuditRow& row : audit_rows(run))
    if (row.contention == scaling::Contention::contended) kernels.insert(row.kernel);
  if (kernels.empty()) return;
  const std::set<std::string> packed = packed_cases(run);
  for (CaseResult& result : results.cases) {
    const scaling::Case& c = run.cases[result.case_index];
    const bool beside = std::ranges::any_of(result.visits, [&](std::size_t v) { return run.visits[v].placement == "packed"; });
    result.contended = beside && kernels.contains(c.kernel) && packed.contains(c.id);
  }
}

}  // namespace

Estimate time_at(const RunRecord& run, const Results& results, std::size_t row, double confidence) {
  const CaseResult& result = results.cases[row];
  if (result.n_visits > 1) return geometric_mean(result.visit_medians_s, confidence);  // as in `time`
  std::vector<double> samples;
  for (const std::size_t visit : result.visits)
    for (const double time : valid_times(run.visits[visit])) samples.push_back(time);
  return median_estimate(samples, effective_tau(samples), confidence);
}

Estimate time_ratio(const RunRecord& run, const Results& results, std::size_t numerator, std::size_t denominator, double each) {
  const CaseResult &a = results.cases[numerator], &b = results.cases[denominator];
  if (a.n_visits >= 3 && b.n_visits >= 3)
    return welch_ratio(log_side(a.visit_medians_s), log_side(b.visit_medians_s), run.confidence).estimate;
  return ratio(time_at(run, results, numerator, each), time_at(run, results, denominator, each), run.confidence);
}

Results make_results(const RunRecord& run) {
  Results results;
  std::map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    index[run.cases[i].id] = i;
    CaseResult result{.case_index = i};
    result.part = scaling::part_of(run.cases[i].params) != scaling::Part::whole;
    if (run.cases[i].planned != Outcome::ok) result.outcome = run.cases[i].planned, result.reason = run.cases[i].reason;
    else result.reason = "the run stopped before it was measured";
    results.cases.push_back(std::move(result));
  }
  const std::vector<bool> counts = visits_that_count(run);
  for (std::size_t v = 0; v < run.visits.size(); ++v) {
    const auto it = index.find(run.visits[v].case_id);
    if (it == index.end() || !counts[v]) continue;
    CaseResult& result = results.cases[it->second];
    result.reason.clear();
    add_visit(result, run.visits[v], run.confidence);
    if (run.visits[v].outcome == Outcome::ok && !run.visits[v].functional_only) result.visits.push_back(v);
  }
  const std::vector<std::string> environments = case_environments(run);
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    finish(results.cases[i], run.cases[i], run);
    results.cases[i].environment = environments[i];
  }
  mark_contended(results, run);
  add_speedups(results, run);
  add_verdicts(results, {.confidence = run.confidence});
  if (!run.policy.empty()) blank_verdicts(run, results);
  results.scaling = scaling_rows(run, results);
  return results;
}

}  // namespace bench::analysis
