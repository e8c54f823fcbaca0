// SPDX-License-Identifier: Apache-2.0
#include "analysis/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/audit.hpp"
#include "analysis/bus_bandwidth.hpp"
#include "analysis/crossovers_section.hpp"
#include "analysis/estimate_cells.hpp"
#include "analysis/fits/fits_section.hpp"
#include "analysis/overlaps_section.hpp"
#include "analysis/rivals_section.hpp"
#include "analysis/scaling_section.hpp"
#include "analysis/varying_parameters.hpp"
#include "analysis/warmup_section.hpp"
#include "analysis/winners_section.hpp"

namespace bench::analysis {
namespace {

constexpr double kAboveLimit = 1.02;  // within 2 % of its limit a case may come out above it by noise

/// FLOP rate where FLOPs or exponentials bind, byte rate where memory does or nothing is computed.
std::string rate_cell(const CaseResult& result) {
  if (result.limit == "memory" || !(result.flops_per_s > 0.0)) return fmt::format("{:.3g} GB/s", result.bytes_per_s / 1e9);
  return result.flops_per_s >= 1e12 ? fmt::format("{:.3g} TFLOP/s", result.flops_per_s / 1e12) : fmt::format("{:.3g} GFLOP/s", result.flops_per_s / 1e9);
}

std::string limit_cell(const CaseResult& result) {
  return result.limit.empty() ? "-" : fmt::format("{:.1f} % {}", 100.0 * result.limit_fraction, result.limit);
}

/// Figures that ops give of their answers: a column each.
void add_figures(TextTable& table, const Rows& rows) {
  std::map<std::string, std::string> heads;
  for (const CaseResult* row : rows)
    for (const Figure& figure : row->figures) heads.emplace(figure.name, figure.unit == "1" ? figure.name : concat(figure.name, ' ', figure.unit));
  for (auto& [name, head] : heads) {
    std::ranges::replace(head, '_', ' ');
    table.heads.push_back({head, true});
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto it = std::ranges::find(rows[i]->figures, name, &Figure::name);
      table.rows[i].push_back(it == rows[i]->figures.end() ? "-" : fmt::format("{:.3g}", it->value));
    }
  }
}

/// Two columns for exchanges between ranks, none for other ops.
void add_bus_bandwidth(TextTable& table, const RunRecord& run, const Rows& rows) {
  std::vector<std::optional<BusBandwidth>> rates;
  for (const CaseResult* row : rows) rates.push_back(bus_bandwidth(run.cases[row->case_index], row->time_s.value));
  if (std::ranges::none_of(rates, [](const auto& rate) { return rate.has_value(); })) return;
  for (const auto& [head, rate] : {std::pair("algbw", &BusBandwidth::algbw), std::pair("busbw", &BusBandwidth::busbw)}) {
    table.heads.push_back({head, true});
    for (std::size_t i = 0; i < rows.size(); ++i) table.rows[i].push_back(rates[i] ? fmt::format("{:.3g} GB/s", (*rates[i]).*rate / 1e9) : "-");
  }
}

Section case_section(const RunRecord& run, Rows rows) {
  Section section{run.cases[rows.front()->case_index].op + ": " + fixed_parameters(run, rows), {}, {}};
  const std::vector<std::string> vary = varying_parameters(run, rows);
  section.table.heads.push_back({"kernel"});
  for (const std::string& name : vary) section.table.heads.push_back({name, true});
  for (const char* name : {"median [95 % CI]", "rate", "of limit", "speed-up [95 % CI]", "n"}) section.table.heads.push_back({name, true});
  section.table.heads.push_back({"stopped"});
  section.table.heads[vary.size() + 1].name = fmt::format("median [{:g} % CI]", 100.0 * run.confidence);
  section.table.heads[vary.size() + 4].name = fmt::format("speed-up [{:g} % CI]", 100.0 * run.confidence);
  const auto key = [&](const CaseResult* row) {
    std::vector<std::int64_t> numbers;
    std::string words;
    for (const std::string& name : vary) {
      const auto it = run.cases[row->case_index].params.find(name);
      if (it == run.cases[row->case_index].params.end()) continue;
      if (const auto* number = std::get_if<std::int64_t>(&it->second)) numbers.push_back(*number);
      else words += bench::to_text(it->second) + ' ';
    }
    return std::tuple(words, numbers, run.cases[row->case_index].kernel);
  };
  // A verdict takes three visits; a column of `insufficient` would tell nobody anything.
  const bool verdicts = std::ranges::any_of(rows, [](const CaseResult* row) { return row->verdict && *row->verdict != Verdict::insufficient; });
  if (verdicts) section.table.heads.push_back({"verdict"});
  std::ranges::stable_sort(rows, [&](const CaseResult* a, const CaseResult* b) { return key(a) < key(b); });
  for (const CaseResult* row : rows) {
    const scaling::Case& c = run.cases[row->case_index];
    std::vector<std::string> cells{c.kernel + (row->oversubscribed ? " (shared cores)" : row->contended ? " (contended)" : "")};
    for (std::string& cell : parameter_cells(c, vary)) cells.push_back(std::move(cell));
    for (const std::string& cell : {time_cell(row->time_s), rate_cell(*row), limit_cell(*row), ratio_cell(row->speedup), fmt::format("{}", row->n), row->stop_reason})
      cells.push_back(cell);
    if (verdicts) cells.push_back(row->verdict ? std::string(to_text(*row->verdict)) : "");
    section.table.rows.push_back(std::move(cells));
  }
  add_figures(section.table, rows);
  add_bus_bandwidth(section.table, run, rows);
  std::set<std::string> baselines;
  for (const CaseResult* row : rows) baselines.insert(run.cases[row->case_index].baseline);
  baselines.erase("");
  for (const std::string& name : baselines) section.note += (section.note.empty() ? "speed-up over " : ", or ") + name;
  if (!section.note.empty()) section.note += " on the same problem";
  if (std::ranges::any_of(rows, [](const CaseResult* row) { return row->limit_fraction > kAboveLimit; }))
    section.note += concat(section.note.empty() ? "" : "; ", "above 100 % of a limit: the limit was measured while something else used the machine");
  return section;
}

/// "a, b and 3 more".
std::string first_of(const std::set<std::string>& kernels) {
  constexpr std::size_t kNamed = 3;
  std::string text;
  std::size_t named = 0;
  for (const std::string& kernel : kernels)
    if (named++ < kNamed) text += (text.empty() ? "" : ", ") + kernel;
  return kernels.size() > kNamed ? fmt::format("{} and {} more", text, kernels.size() - kNamed) : text;
}

}  // namespace

std::vector<Section> case_sections(const RunRecord& run, const Results& results) {
  std::map<std::string, Rows> by_op;
  for (const CaseResult& result : results.cases)
    if (result.whole()) by_op[run.cases[result.case_index].op].push_back(&result);
  std::vector<Section> sections;
  for (const auto& [op, rows] : by_op) sections.push_back(case_section(run, rows));
  return sections;
}

Section untimed_section(const RunRecord& run, const Results& results) {
  struct Group {
    std::set<std::string> kernels;
    std::int64_t cases = 0;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;  // by outcome and reason
  for (const CaseResult& result : results.cases) {
    if (result.timed()) continue;
    Group& group = groups[{std::string(bench::to_text(result.outcome)), result.reason}];
    group.kernels.insert(run.cases[result.case_index].kernel);
    ++group.cases;
  }
  Section section{"without times", {{{"outcome"}, {"kernel"}, {"cases", true}, {"reason"}}, {}}, {}};
  for (const auto& [key, group] : groups)
    section.table.rows.push_back({key.first, first_of(group.kernels), fmt::format("{}", group.cases), key.second});
  return section;
}

std::vector<Section> all_sections(const RunRecord& run, const Results& results, const std::vector<Section>& more) {
  std::vector<Section> sections = case_sections(run, results);
  sections.push_back(rivals_section(run, results));
  for (Section& section : winners_sections(run, results)) sections.push_back(std::move(section));
  sections.push_back(crossovers_section(run, results));
  sections.push_back(overlaps_section(run, results));
  sections.push_back(warmup_section(run, results));
  sections.push_back(untimed_section(run, results));
  sections.push_back(audit_section(run));
  for (Section& section : scaling_sections(run, results)) sections.push_back(std::move(section));
  sections.push_back(fits_section(run, results));
  sections.insert(sections.end(), more.begin(), more.end());
  std::erase_if(sections, [](const Section& section) { return section.table.rows.empty(); });
  return sections;
}

std::string tables_text(const std::vector<Section>& sections) {
  std::string text;
  for (const Section& section : sections)
    text += section.title + '\n' + section.table.text() + (section.note.empty() ? "" : section.note + '\n') + '\n';
  return text;
}

}  // namespace bench::analysis
