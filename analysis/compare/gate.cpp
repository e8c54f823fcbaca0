// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "scaling/glob.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

using State = GateRow::State;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFewestForInterval = 3;  // of launches a side, whatever the policy says

double percent(double share) {
  return 100.0 * share;
}

std::string change_words(const Estimate& ratio) {
  return fmt::format("{:+.2f} % [{:+.2f} %, {:+.2f} %]", percent(ratio.value - 1.0),
                     percent(ratio.interval->lo - 1.0), percent(ratio.interval->hi - 1.0));
}

/// The criteria of a row in one state, as "name: reason; name: reason".
std::string criteria_words(const ComparisonRow& row, CriterionResult::State state) {
  std::string words;
  for (const CriterionResult& one : row.criteria)
    if (one.state == state) words += fmt::format("{}{}: {}", words.empty() ? "" : "; ", one.name, one.reason);
  return words;
}

/// The bounds that the new time breaks; empty when it keeps them, or has none.
std::string broken_bounds(const ComparisonRow& row, const Policy& policy) {
  std::string words;
  for (const Bound& bound : policy.bounds) {
    if (!scaling::matches(bound.match, row.name)) continue;
    const double lo_s = bound.lo ? bound.value_s * (1.0 + *bound.lo) : 0.0;
    const double hi_s =
        bound.hi ? bound.value_s * (1.0 + *bound.hi) : std::numeric_limits<double>::infinity();
    if (row.new_s >= lo_s && row.new_s <= hi_s) continue;
    words += fmt::format("{}the new time {} is {} {}, the {} end of '{}'", words.empty() ? "" : "; ",
                         format_time(row.new_s), row.new_s > hi_s ? "above" : "below",
                         format_time(row.new_s > hi_s ? hi_s : lo_s), row.new_s > hi_s ? "upper" : "lower",
                         bound.match);
  }
  return words;
}

bool has_figures(const ComparisonRow& row) {
  const auto& interval = row.ratio.interval;
  return std::isfinite(row.ratio.value) && interval && std::isfinite(interval->lo) &&
         std::isfinite(interval->hi) && row.adjusted_p >= 0.0 && row.adjusted_p <= 1.0 &&
         std::isfinite(row.old_s) && std::isfinite(row.new_s);
}

struct Finding {
  State state;
  std::string reason;
};

/// What the times alone say of a row that has both sides, enough launches, and figures.
Finding judge_times(const ComparisonRow& row, const Policy& policy) {
  const Interval& interval = *row.ratio.interval;
  const double worse_by = worse_by_of(policy, row.name), margin = margin_of(policy, row.name);
  const std::string change = change_words(row.ratio);
  const bool told = row.adjusted_p < policy.compare.verdict.alpha;
  if (interval.lo > 1.0 + worse_by && told) {
    if (row.new_s - row.old_s > policy.abs_floor_s)
      return {State::regression, fmt::format("{}: slower by more than {:g} %, adjusted p {:.2g}", change,
                                             percent(worse_by), row.adjusted_p)};
    return {State::passed, fmt::format("{}: slower, but by {} only; the floor is {}", change,
                                       format_time(row.new_s - row.old_s), format_time(policy.abs_floor_s))};
  }
  if (interval.hi < 1.0 / (1.0 + margin) && told)
    return {State::improved, fmt::format("{}: faster by more than {:g} %", change, percent(margin))};
  if (interval.hi <= 1.0 + worse_by)
    return {State::passed, fmt::format("{}: not slower by more than {:g} %", change, percent(worse_by))};
  return {State::passed, fmt::format("{}: not shown to be slower by more than {:g} %, nor that it is not",
                                     change, percent(worse_by))};
}

bool too_few_launches(const ComparisonRow& row, const Policy& policy) {
  const std::int64_t fewest = std::max<std::int64_t>(policy.compare.verdict.min_launches, kFewestForInterval);
  return row.verdict == Verdict::insufficient || std::min(row.launches_old, row.launches_new) < fewest;
}

/// The first of these that holds; the worst comes first.
Finding judge(const ComparisonRow& row, const Policy& policy) {
  if (row.verdict == Verdict::missing) return {State::missing, row.reason};
  if (const std::string words = criteria_words(row, CriterionResult::State::failed); !words.empty())
    return {State::failed_criterion, words};
  const bool is_new = row.verdict == Verdict::new_case;
  if (row.verdict == Verdict::invalid) return {State::invalid, row.reason};
  if (!std::isfinite(row.new_s)) return {State::invalid, "the new time is no number"};
  const bool few = !is_new && too_few_launches(row, policy);
  const bool timed = !is_new && !few;
  if (timed && !has_figures(row)) return {State::invalid, "the ratio, its interval or p is no number"};
  const Finding times = timed ? judge_times(row, policy) : Finding{State::new_case, row.reason};
  if (times.state == State::regression) return times;
  if (const std::string words = broken_bounds(row, policy); !words.empty())
    return {State::out_of_bounds, words};
  if (few) return {State::undecided, row.reason};
  if (const std::string words = criteria_words(row, CriterionResult::State::not_measured);
      !is_new && !words.empty())
    return {State::undecided, "not measured: " + words};
  return times;
}

std::vector<GateRow> judge_all(const Comparison& comparison, const Policy& policy) {
  std::vector<GateRow> rows;
  const auto add = [&](const std::string& name, Finding finding, const Estimate& ratio) {
    GateRow row{name, finding.state, std::move(finding.reason), ratio, false};
    row.blocks = fails(row, policy);
    rows.push_back(std::move(row));
  };
  for (const ComparisonRow& row : comparison.rows) add(row.name, judge(row, policy), row.ratio);
  for (const Bound& bound : policy.bounds) {
    const auto fits = [&](const ComparisonRow& row) { return scaling::matches(bound.match, row.name); };
    if (std::ranges::none_of(comparison.rows, fits))
      add(bound.match, {State::missing, "a bound of the policy that fits no case"}, {kNone, std::nullopt});
  }
  return rows;
}

bool is_broken(const GateRow& row) {
  return row.state == State::invalid || row.state == State::failed_criterion ||
         row.state == State::out_of_bounds;
}

bool is_joined(const ComparisonRow& row) {
  return row.launches_old > 0 && row.launches_new > 0;
}

/// Throws when the table holds nothing that a gate could fail on.
void require_substance(const Comparison& comparison, const GateResult& result, const Policy& policy) {
  if (std::ranges::any_of(result.rows, is_broken)) return;
  if (std::ranges::none_of(comparison.rows, is_joined))
    throw Error(
        ErrorKind::no_match,
        fmt::format("nothing to compare: no case has times on both sides ({} only in '{}', {} only in '{}')",
                    count_of(comparison, Verdict::missing), comparison.old_label,
                    count_of(comparison, Verdict::new_case), comparison.new_label));
  std::int64_t most_old = 0, most_new = 0;
  for (const ComparisonRow& row : comparison.rows) {
    if (!is_joined(row)) continue;
    if (!too_few_launches(row, policy)) return;
    most_old = std::max(most_old, row.launches_old);
    most_new = std::max(most_new, row.launches_new);
  }
  const int fewest = std::max(policy.compare.verdict.min_launches, static_cast<int>(kFewestForInterval));
  usage_error(
      fmt::format("no case has enough launches: at most {} in '{}' and {} in '{}', and a gate needs "
                  "min_launches = {} of each side; start the program more often",
                  most_old, comparison.old_label, most_new, comparison.new_label, fewest));
}

/// The regression with the largest ratio.
std::string worst_words(const GateResult& result) {
  const GateRow* worst = nullptr;
  for (const GateRow& row : result.rows)
    if (row.state == State::regression && (worst == nullptr || row.ratio.value > worst->ratio.value))
      worst = &row;
  return worst == nullptr ? std::string()
                          : fmt::format("; worst: {} {}", worst->name, change_words(worst->ratio));
}

/// Cases that pass although a slowdown above the limit is not ruled out: more launches would tell.
std::string open_words(const Comparison& comparison, const GateResult& result, const Policy& policy) {
  std::size_t open = 0;
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    const ComparisonRow& row = comparison.rows[i];
    open +=
        result.rows[i].state == State::passed && row.ratio.interval->hi > 1.0 + worse_by_of(policy, row.name);
  }
  return open == 0
             ? std::string()
             : fmt::format("; in {} of the passed more launches would be needed to rule out a regression",
                           open);
}

std::string unused_words(const Comparison& comparison, const Policy& policy) {
  std::string words;
  for (const Override& other : policy.overrides) {
    const auto fits = [&](const ComparisonRow& row) { return scaling::matches(other.match, row.name); };
    if (std::ranges::none_of(comparison.rows, fits))
      words += fmt::format("; override '{}' fits no case", other.match);
  }
  return words;
}

std::string headline_of(const Comparison& comparison, const GateResult& result, const Policy& policy) {
  std::map<State, std::size_t> counts;
  for (const GateRow& row : result.rows)
    if (result.passed || row.blocks) ++counts[row.state];
  std::string tally;
  for (const auto& [state, count] : counts)
    tally += fmt::format("{}{} {}", tally.empty() ? "" : ", ", count, to_text(state));
  return fmt::format("{}: {} among {} {}{}{}{}", result.passed ? "passed" : "failed", tally,
                     comparison.rows.size(), comparison.rows.size() == 1 ? "case" : "cases",
                     worst_words(result), open_words(comparison, result, policy),
                     unused_words(comparison, policy));
}

}  // namespace

std::string_view to_text(GateRow::State state) {
  constexpr std::array<std::string_view, 9> kTexts{"passed",        "regression", "failed criterion",
                                                   "out of bounds", "missing",    "undecided",
                                                   "invalid",       "new",        "improved"};
  return kTexts.at(static_cast<std::size_t>(state));
}

bool fails(const GateRow& row, const Policy& policy) {
  switch (row.state) {
    case State::passed:
    case State::new_case:
    case State::improved:
      return false;
    case State::missing:
      return !policy.allow_missing;
    case State::undecided:
      return !policy.allow_undecided;
    case State::regression:
    case State::failed_criterion:
    case State::out_of_bounds:
    case State::invalid:
      return true;
  }
  return true;
}

GateResult gate(const Comparison& comparison, const Policy& policy) {
  GateResult result;
  result.rows = judge_all(comparison, policy);
  require_substance(comparison, result, policy);
  result.passed = std::ranges::none_of(result.rows, &GateRow::blocks);
  result.headline = headline_of(comparison, result, policy);
  return result;
}

}  // namespace bench::analysis
