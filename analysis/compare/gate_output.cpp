// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/gate_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/compare/markup.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

using State = GateRow::State;

constexpr std::size_t kMostRowsShown = 30;
constexpr std::size_t kMostDetailBytes = 50000;  // what a comment of 65536 bytes leaves, with room to spare
constexpr std::size_t kLongestCell = 300;        // characters of a name or reason in the comment

bool is_skipped(const GateRow& row) {
  return !row.blocks &&
         (row.state == State::missing || row.state == State::undecided || row.state == State::new_case);
}

/// The row of the comparison that `result.rows[i]` judges; null for the bounds that fit no case.
const ComparisonRow* compared(const Comparison& comparison, std::size_t i) {
  return i < comparison.rows.size() ? &comparison.rows[i] : nullptr;
}

std::string testcase(const GateRow& row, const ComparisonRow* figures) {
  const std::string name = xml_text(row.name), reason = xml_text(row.reason);
  const std::string kernel = xml_text(row.name.substr(0, row.name.find(' ')));
  std::string text = fmt::format("    <testcase classname=\"{}\" name=\"{}\"", kernel, name);
  if (figures != nullptr && std::isfinite(figures->new_s))
    text += fmt::format(" time=\"{:.9g}\"", figures->new_s);
  if (row.blocks)
    return text + fmt::format("><failure type=\"{0}\" message=\"{1}\">{1}</failure></testcase>\n",
                              to_text(row.state), reason);
  if (is_skipped(row))
    return text + fmt::format("><skipped message=\"{}: {}\"/></testcase>\n", to_text(row.state), reason);
  return text + fmt::format("><system-out>{}: {}</system-out></testcase>\n", to_text(row.state), reason);
}

/// At most kLongestCell bytes, cut between characters.
std::string shortened(const std::string& text) {
  if (text.size() <= kLongestCell) return text;
  std::size_t end = kLongestCell;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

std::string ratio_cell(const Estimate& ratio) {
  if (!std::isfinite(ratio.value)) return "";
  if (!ratio.interval) return fmt::format("{:.3f}", ratio.value);
  return fmt::format("{:.3f} &#91;{:.3f}, {:.3f}&#93;", ratio.value, ratio.interval->lo, ratio.interval->hi);
}

std::string time_cell(double time_s) {
  return std::isfinite(time_s) && time_s > 0.0 ? format_time(time_s) : std::string();
}

constexpr const char* kTableHead =
    "| case | result | base | new | new / base | why |\n|---|---|--:|--:|--:|---|\n";

std::string table_row(const GateRow& row, const ComparisonRow* figures) {
  return fmt::format("| {} | {}{}{} | {} | {} | {} | {} |\n", markdown_code(shortened(row.name)),
                     row.blocks ? "**" : "", to_text(row.state), row.blocks ? "**" : "",
                     figures ? time_cell(figures->old_s) : "", figures ? time_cell(figures->new_s) : "",
                     ratio_cell(row.ratio), markdown_text(shortened(row.reason)));
}

/// Rows `order` of the result as a table of at most `most_rows` rows and `most_bytes` bytes.
std::string table(const GateResult& result, const Comparison& comparison,
                  const std::vector<std::size_t>& order, std::size_t most_rows, std::size_t most_bytes) {
  std::string text = kTableHead;
  std::size_t shown = 0;
  for (; shown < std::min(order.size(), most_rows); ++shown) {
    const std::string row = table_row(result.rows[order[shown]], compared(comparison, order[shown]));
    if (text.size() + row.size() > most_bytes) break;
    text += row;
  }
  if (shown < order.size()) text += fmt::format("\n... and {} more\n", order.size() - shown);
  return text;
}

}  // namespace

std::string to_junit(const GateResult& result, const Comparison& comparison) {
  const auto failures = std::ranges::count_if(result.rows, &GateRow::blocks);
  const auto skipped = std::ranges::count_if(result.rows, is_skipped);
  const auto counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
                                  result.rows.size(), failures, skipped);
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  text += fmt::format("<testsuites {0}>\n  <testsuite name=\"bench_scale gate\" {0}>\n    <properties>\n",
                      counts);
  const auto property = [&](const char* name, const std::string& value) {
    text += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, xml_text(value));
  };
  property("base", comparison.old_label);
  property("new", comparison.new_label);
  property("headline", result.headline);
  for (const std::string& line : comparison.environment_differences) property("environment", line);
  text += "    </properties>\n";
  for (std::size_t i = 0; i < result.rows.size(); ++i)
    text += testcase(result.rows[i], compared(comparison, i));
  return text + "  </testsuite>\n</testsuites>\n";
}

std::string to_markdown_comment(const GateResult& result, const Comparison& comparison) {
  std::vector<std::size_t> all, notable;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    all.push_back(i);
    if (result.rows[i].state != State::passed) notable.push_back(i);
  }
  std::ranges::stable_partition(notable, [&](std::size_t i) { return result.rows[i].blocks; });
  std::string text =
      fmt::format("### Benchmark gate {}\n\n{}\n\nBase {}, new {}.\n", result.passed ? "passed" : "failed",
                  markdown_text(shortened(result.headline)), markdown_code(shortened(comparison.old_label)),
                  markdown_code(shortened(comparison.new_label)));
  const std::string all_rows = table(result, comparison, all, all.size(), kMostDetailBytes);
  if (!notable.empty())
    text += '\n' + table(result, comparison, notable, kMostRowsShown, kMostDetailBytes / 4);
  return text +
         fmt::format("\n<details><summary>All {} rows</summary>\n\n{}\n</details>\n", all.size(), all_rows);
}

}  // namespace bench::analysis
