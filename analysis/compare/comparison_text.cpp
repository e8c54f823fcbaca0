// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/comparison_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "analysis/text_table.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

using nlohmann::ordered_json;

std::string time_text(double seconds) {
  if (!std::isfinite(seconds)) return "-";
  const TimeUnit unit = time_unit_for(seconds);
  return fmt::format("{:.4g} {}", seconds * unit.per_second, unit.name);
}

std::string ratio_text(const Estimate& ratio) {
  if (!std::isfinite(ratio.value)) return "-";
  if (!ratio.interval) return fmt::format("{:.4g}", ratio.value);
  return fmt::format("{:.4g} [{:.4g}, {:.4g}]", ratio.value, ratio.interval->lo, ratio.interval->hi);
}

std::string figure(double value) { return std::isfinite(value) ? fmt::format("{:.2g}", value) : "-"; }
ordered_json or_null(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

std::string_view state_text(CriterionResult::State state) {
  return state == CriterionResult::State::met ? "met" : state == CriterionResult::State::failed ? "failed" : "not measured";
}

/// "3 faster, 1 same", in the order of the enumeration.
std::string tally(const Comparison& comparison) {
  std::map<Verdict, std::size_t> counts;
  for (const ComparisonRow& row : comparison.rows) ++counts[row.verdict];
  std::string text;
  for (const auto& [verdict, count] : counts) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, to_text(verdict));
  return text.empty() ? "no case" : text;
}

/// How many launches would tell, over the ambiguous rows.
std::string ambiguity(const Comparison& comparison) {
  std::vector<std::int64_t> needed;
  for (const ComparisonRow& row : comparison.rows)
    if (row.verdict == Verdict::ambiguous && row.launches_needed) needed.push_back(*row.launches_needed);
  if (needed.empty()) return {};
  std::ranges::sort(needed);
  const std::string range = needed.front() == needed.back() ? fmt::format("{}", needed.front()) : fmt::format("{} to {}", needed.front(), needed.back());
  return fmt::format("  ambiguous: a difference of {:.3g} % would take about {} launches a side at this noise\n", 100.0 * comparison.rule.verdict.margin, range);
}

/// What is neither measured on both sides nor explained by the table: each reason once, with how many rows have it.
std::string reasons(const Comparison& comparison) {
  std::map<std::string, std::size_t> counts;
  for (const ComparisonRow& row : comparison.rows)
    if (row.verdict == Verdict::insufficient || row.verdict == Verdict::missing || row.verdict == Verdict::new_case || row.verdict == Verdict::invalid)
      ++counts[fmt::format("{}: {}", to_text(row.verdict), row.reason)];
  std::string text = ambiguity(comparison);
  for (const auto& [reason, count] : counts) text += fmt::format("  {} x {}\n", count, reason);
  return text;
}

std::string criteria_lines(const Comparison& comparison) {
  std::string text;
  for (const ComparisonRow& row : comparison.rows)
    for (const CriterionResult& criterion : row.criteria)
      if (criterion.state != CriterionResult::State::met)
        text += fmt::format("  {}: {} {}: {}\n", row.name, criterion.name, state_text(criterion.state), criterion.reason);
  return text;
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  TextTable table{{{"case"}, {"base", true}, {"new", true}, {"new / base [CI]", true}, {"p", true}, {"g", true}, {"launches", true}, {"verdict"}}, {}};
  for (const ComparisonRow& row : comparison.rows)
    table.rows.push_back({row.name, time_text(row.old_s), time_text(row.new_s), ratio_text(row.ratio), figure(row.adjusted_p), figure(row.hedges_g),
                          fmt::format("{}, {}", row.launches_old, row.launches_new), std::string(to_text(row.verdict))});
  const CompareRule& rule = comparison.rule;
  std::string text = fmt::format("{} -> {}\n{}", comparison.old_label, comparison.new_label, table.text());
  text += fmt::format("{} (margin {:.3g} %, {:.3g} % intervals, p by Welch's t on the launches' logarithms, {} over {} rows; g: Hedges)\n", tally(comparison),
                      100.0 * rule.verdict.margin, 100.0 * rule.verdict.confidence,
                      rule.correction == Correction::holm ? "Holm" : "Benjamini-Hochberg", comparison.rows.size());
  return text + reasons(comparison) + criteria_lines(comparison);
}

ordered_json to_json(const Comparison& comparison) {
  ordered_json rows = ordered_json::array();
  for (const ComparisonRow& row : comparison.rows) {
    ordered_json criteria = ordered_json::array();
    for (const CriterionResult& criterion : row.criteria)
      criteria.push_back({{"name", criterion.name}, {"state", state_text(criterion.state)}, {"reason", criterion.reason}});
    const auto& interval = row.ratio.interval;
    rows.push_back({{"case", row.key},
                    {"name", row.name},
                    {"base_s", or_null(row.old_s)},
                    {"new_s", or_null(row.new_s)},
                    {"launches_base", row.launches_old},
                    {"launches_new", row.launches_new},
                    {"ratio", or_null(row.ratio.value)},
                    {"ratio_lo", interval ? or_null(interval->lo) : ordered_json(nullptr)},
                    {"ratio_hi", interval ? or_null(interval->hi) : ordered_json(nullptr)},
                    {"p", or_null(row.p)},
                    {"p_adjusted", or_null(row.adjusted_p)},
                    {"hedges_g", or_null(row.hedges_g)},
                    {"cliffs_delta", or_null(row.cliffs_delta)},
                    {"verdict", to_text(row.verdict)},
                    {"reason", row.reason},
                    {"launches_needed", row.launches_needed ? ordered_json(*row.launches_needed) : ordered_json(nullptr)},
                    {"criteria", criteria}});
  }
  return {{"base", comparison.old_label},
          {"new", comparison.new_label},
          {"margin", comparison.rule.verdict.margin},
          {"alpha", comparison.rule.verdict.alpha},
          {"correction", comparison.rule.correction == Correction::holm ? "holm" : "benjamini_hochberg"},
          {"environment_differences", comparison.environment_differences},
          {"rows", rows}};
}

}  // namespace bench::analysis
