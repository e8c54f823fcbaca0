// SPDX-License-Identifier: Apache-2.0
#include "analysis/scaling_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>

#include "analysis/estimate_cells.hpp"
#include "scaling/sweep.hpp"
#include "src/core/units.hpp"

namespace bench::analysis {
namespace {

using Rows = std::vector<const ScalingRow*>;

/// What can be known of a row.
struct Reader {
  const RunRecord& run;
  const Results& results;
  const scaling::Case& case_of(const ScalingRow& row) const { return run.cases[row.case_index]; }
  const CaseResult& result(const ScalingRow& row) const { return results.cases[row.case_index]; }
};

struct Shown {
  std::string head;
  bool number = true;
  bool always = false;  // else only when some cell says something
  std::function<std::string(const ScalingRow&)> cell;
};

std::string ranks_text(std::int64_t ranks) {
  return fmt::format("{} rank{}", ranks, ranks == 1 ? "" : "s");
}

std::string number_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.3g}", *value) : "-";
}

std::string time_cell(const CaseResult& result) {
  return result.timed() ? time_cell(result.time_s) : "-";
}

std::string rate_cell(const ScalingRow& row, const scaling::Case& c) {
  if (row.rate_per_rank <= 0.0) return "-";
  const char* unit = c.cost.flops > 0.0 ? "FLOP/s" : "B/s";
  return row.rate_per_rank >= 1e12 ? fmt::format("{:.3g} T{}", row.rate_per_rank / 1e12, unit)
                                   : fmt::format("{:.3g} G{}", row.rate_per_rank / 1e9, unit);
}

std::string wire_cell(const ScalingRow& row, const CaseResult& result) {
  if (!row.factors.wire_bytes || *row.factors.wire_bytes <= 0.0) return "-";
  return fmt::format("{:.4g} MB [{:.4g}]", static_cast<double>(result.wire_bytes) / 1e6,
                     *row.factors.wire_bytes / 1e6);
}

std::string study_cell(const ScalingRow& row) {
  return row.tag.study.substr(row.tag.study.find('/') + 1);
}

std::string kernel_cell(const scaling::Case& c) {
  const auto layout = c.params.find("layout");
  return c.kernel + (layout == c.params.end() ? "" : " " + bench::to_text(layout->second));
}

/// The parameter, where it is not the same in all rows.
Shown parameter(const Reader& at, const Rows& rows, const char* name) {
  const auto text = [at, name](const ScalingRow& row) {
    const auto it = at.case_of(row).params.find(name);
    return it == at.case_of(row).params.end() ? std::string("-") : bench::to_text(it->second);
  };
  const bool varies =
      std::ranges::any_of(rows, [&](const ScalingRow* row) { return text(*row) != text(*rows.front()); });
  if (!varies) return {name, true, false, [](const ScalingRow&) { return std::string("-"); }};
  return {name, true, false, text};
}

TextTable table_of(const std::vector<Shown>& columns, const Rows& rows) {
  TextTable table;
  table.rows.resize(rows.size());
  for (const Shown& column : columns) {
    std::vector<std::string> cells;
    for (const ScalingRow* row : rows) cells.push_back(column.cell(*row));
    const bool says_something =
        std::ranges::any_of(cells, [](const std::string& cell) { return cell != "-" && !cell.empty(); });
    if (!column.always && !says_something) continue;
    table.heads.push_back({column.head, column.number});
    for (std::size_t i = 0; i < rows.size(); ++i) table.rows[i].push_back(std::move(cells[i]));
  }
  return table;
}

std::string title_of(const ScalingRow& row) {
  std::string title = "scaling efficiency: " + scaling::scaling_word(row.tag.mode, row.tag.by) + ", ";
  if (row.base_ranks == 0) return title + "no base: no point ran";
  title += "base " + ranks_text(row.base_ranks);
  if (!row.base_note.empty()) return title + " (" + row.base_note + ")";
  return row.tag.base == 0 ? title + " (the smallest that ran)" : title;
}

const char* note_of(const scaling::ScalingTag& tag) {
  if (tag.mode == "strong")
    return "one problem on more ranks: efficiency = T_b / (r T_p) with r = p / b; 1 is ideal";
  if (tag.mode == "throughput")
    return "a copy of the one-rank case on every rank: efficiency = throughput / (r x the base's "
           "throughput); 1 is ideal";
  if (tag.by == "tokens")
    return "fixed tokens per rank: time grows as its ideal says where work does; the headline is efficiency, "
           "what a rank keeps of its "
           "rate at the base, and 1 is ideal";
  return "fixed FLOPs per rank, to rounding: the ideal time ratio is about 1; efficiency is what a rank "
         "keeps of its rate at the base";
}

Section efficiency_section(const Reader& at, const Rows& rows) {
  const std::string ci = fmt::format(" [{:g} % CI]", 100.0 * at.run.confidence);
  const bool weak = rows.front()->tag.mode == "weak";
  std::vector<Shown> columns{
      {"study", false, true, study_cell},
      {"kernel", false, true, [at](const ScalingRow& row) { return kernel_cell(at.case_of(row)); }},
      parameter(at, rows, "seq"),
      parameter(at, rows, "batch"),
      {"ranks", true, true, [at](const ScalingRow& row) { return fmt::format("{}", at.case_of(row).ranks); }},
      {"median" + ci, true, true, [at](const ScalingRow& row) { return time_cell(at.result(row)); }},
      {"rate per rank", true, true, [at](const ScalingRow& row) { return rate_cell(row, at.case_of(row)); }}};
  if (weak) {
    columns.push_back({"T_p / T_b", true, false, [](const ScalingRow& row) {
                         return row.time_ratio ? number_cell(row.time_ratio->value) : "-";
                       }});
    columns.push_back(
        {"its ideal", true, false, [](const ScalingRow& row) { return number_cell(row.time_ratio_ideal); }});
  }
  columns.push_back(
      {"speed-up" + ci, true, true, [](const ScalingRow& row) { return ratio_cell(row.speedup); }});
  columns.push_back(
      {"efficiency" + ci, true, true, [](const ScalingRow& row) { return ratio_cell(row.efficiency); }});
  columns.push_back({"note", false, false, [](const ScalingRow& row) { return row.note; }});
  return {title_of(*rows.front()), table_of(columns, rows), note_of(rows.front()->tag)};
}

std::string overlap_cell(const ScalingRow& row) {
  const std::string cell = number_cell(row.factors.overlap);
  return row.factors.overlap && !row.factors.overlap_measured ? cell + " (model)" : cell;
}

Section factor_section(const Reader& at, const Rows& rows) {
  const auto factor = [](const char* head, std::optional<double> Factors::*figure) {
    return Shown{head, true, false,
                 [figure](const ScalingRow& row) { return number_cell(row.factors.*figure); }};
  };
  const std::vector<Shown> columns{
      {"study", false, true, study_cell},
      {"kernel", false, true, [at](const ScalingRow& row) { return kernel_cell(at.case_of(row)); }},
      parameter(at, rows, "seq"),
      {"ranks", true, true, [at](const ScalingRow& row) { return fmt::format("{}", at.case_of(row).ranks); }},
      {"efficiency", true, true, [](const ScalingRow& row) { return number_cell(row.efficiency->value); }},
      factor("ideal", &Factors::ideal),
      factor("layout", &Factors::layout),
      factor("work c", &Factors::extra_work),
      {"overlap", true, false, overlap_cell},
      factor("shape", &Factors::shape),
      factor("skew", &Factors::skew),
      factor("rest", &Factors::remainder),
      {"wire [closed form]", true, false,
       [at](const ScalingRow& row) { return wire_cell(row, at.result(row)); }},
      factor("knee (model)", &Factors::knee_ranks)};
  return {"what scaling loses", table_of(columns, rows),
          "efficiency = layout / c x overlap x shape x skew x rest. Ideal = layout / c x modelled overlap: closed "
          "forms and a model from the "
          "measured rate of one rank and of the links; shape, skew and overlap, but where it says model, are measured; rest is what none of "
          "them explains"};
}

}  // namespace

std::vector<Section> scaling_sections(const RunRecord& run, const Results& results) {
  const Reader at{run, results};
  const auto key = [](const ScalingRow& row) {
    return std::tie(row.tag.mode, row.tag.by, row.base_ranks, row.base_note, row.tag.base);
  };
  std::vector<Rows> groups;
  Rows explained;
  for (const ScalingRow& row : results.scaling) {
    const auto group =
        std::ranges::find_if(groups, [&](const Rows& rows) { return key(*rows.front()) == key(row); });
    if (group == groups.end())
      groups.push_back({&row});
    else
      group->push_back(&row);
    if (row.factors.remainder && at.case_of(row).ranks != row.base_ranks) explained.push_back(&row);
  }
  std::vector<Section> sections;
  for (const Rows& rows : groups) sections.push_back(efficiency_section(at, rows));
  if (!explained.empty()) sections.push_back(factor_section(at, explained));
  return sections;
}

}  // namespace bench::analysis
