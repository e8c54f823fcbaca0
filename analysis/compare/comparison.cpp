// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/comparison.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "analysis/statistics/equivalence.hpp"
#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/multiplicity.hpp"
#include "analysis/statistics/rank_tests.hpp"
#include "analysis/statistics/welch.hpp"

namespace bench::analysis {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Measured nothing() {
  Measured measured;
  measured.outcome = Outcome::skipped;
  return measured;
}

const Measured& find(const Side& side, const std::string& key) {
  static const Measured kNothing = nothing();
  const auto it = side.cases.find(key);
  return it != side.cases.end() ? it->second : kNothing;
}

std::vector<double> logarithms(const std::vector<double>& times_s) {
  std::vector<double> logs;
  for (const double time : times_s) logs.push_back(std::log(time));
  return logs;
}

bool are_times(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double time) { return std::isfinite(time) && time > 0.0; });
}

double typical(const std::vector<double>& launches_s) {
  return launches_s.empty() || !are_times(launches_s) ? kNone : std::exp(moments_of(logarithms(launches_s)).mean);
}

/// A failure of the new side, in one of its launches even: the rest of them cannot make up for it. What was never tried is no failure.
bool has_failed(const Measured& after) {
  constexpr std::array kNoFailure{Outcome::ok, Outcome::skipped, Outcome::infeasible, Outcome::interrupted};
  return std::ranges::find(kNoFailure, after.outcome) == kNoFailure.end();
}

ComparisonRow row_of(const std::string& key, const Measured& before, const Measured& after, double confidence) {
  const LaunchRatio launches = launch_ratio(before.launches_s, after.launches_s, confidence);
  ComparisonRow row;
  row.key = key;
  row.name = after.name.empty() ? before.name : after.name;
  row.dtype = after.dtype.empty() ? before.dtype : after.dtype;
  row.old_s = typical(before.launches_s);
  row.new_s = typical(after.launches_s);
  row.launches_old = static_cast<std::int64_t>(before.launches_s.size());
  row.launches_new = static_cast<std::int64_t>(after.launches_s.size());
  row.ratio = launches.ratio;
  row.p = launches.p;
  const bool comparable = row.launches_old > 0 && row.launches_new > 0 && are_times(before.launches_s) && are_times(after.launches_s);
  row.hedges_g = comparable ? hedges_g(logarithms(after.launches_s), logarithms(before.launches_s)) : kNone;
  row.cliffs_delta = comparable ? cliffs_delta(after.launches_s, before.launches_s) : kNone;
  return row;
}

void decide(ComparisonRow& row, const Measured& before, const Measured& after, const VerdictRule& rule) {
  if (has_failed(after)) {
    row.verdict = Verdict::invalid;
    row.reason = concat("new side: ", to_text(after.outcome), after.reason.empty() ? "" : ": ", after.reason);
    return;
  }
  // Without a test (too few launches) there is no p to hold against alpha; the verdict is then insufficient whatever it is.
  const double p = std::isnan(row.adjusted_p) ? 1.0 : row.adjusted_p;
  const Decision decision = decide_verdict({before.launches_s, after.launches_s, p}, rule);
  row.verdict = decision.verdict;
  row.reason = decision.reason;
  row.launches_needed = decision.launches_needed;
}

int place(const ComparisonRow& row) { return row.verdict == Verdict::missing ? 1 : row.verdict == Verdict::new_case ? 2 : 0; }

std::vector<std::string> differences(const Side& before, const Side& after) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : before.environment) {
    const auto it = after.environment.find(name);
    if (it != after.environment.end() && it->second != value) lines.push_back(concat(name, ": ", value, " -> ", it->second));
  }
  return lines;
}

}  // namespace

Comparison compare(const Side& before, const Side& after, const CompareRule& rule) {
  Comparison comparison;
  comparison.old_label = before.label;
  comparison.new_label = after.label;
  comparison.rule = rule;
  std::set<std::string> keys;
  for (const auto& [key, measured] : before.cases) keys.insert(key);
  for (const auto& [key, measured] : after.cases) keys.insert(key);
  std::vector<double> p;
  for (const std::string& key : keys) {
    const Measured &old = find(before, key), &now = find(after, key);
    if (old.launches_s.empty() && now.launches_s.empty() && !has_failed(now)) continue;
    comparison.joined += !old.launches_s.empty() && !now.launches_s.empty() ? 1 : 0;
    comparison.rows.push_back(row_of(key, old, now, rule.verdict.confidence));
    p.push_back(comparison.rows.back().p);
  }
  const std::vector<double> adjusted = rule.correction == Correction::holm ? holm(p) : benjamini_hochberg(p);
  for (std::size_t i = 0; i < adjusted.size(); ++i) {
    ComparisonRow& row = comparison.rows[i];
    row.adjusted_p = adjusted[i];
    decide(row, find(before, row.key), find(after, row.key), rule.verdict);
  }
  std::ranges::stable_sort(comparison.rows, [](const auto& a, const auto& b) { return std::pair(place(a), a.name) < std::pair(place(b), b.name); });
  comparison.environment_differences = differences(before, after);
  return comparison;
}

std::size_t count_of(const Comparison& comparison, Verdict verdict) {
  return static_cast<std::size_t>(std::ranges::count(comparison.rows, verdict, &ComparisonRow::verdict));
}

}  // namespace bench::analysis
