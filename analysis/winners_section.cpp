// SPDX-License-Identifier: Apache-2.0
#include "analysis/winners_section.hpp"

#include <fmt/format.h>

#include <map>

#include "analysis/estimate_cells.hpp"
#include "analysis/varying_parameters.hpp"
#include "analysis/winners.hpp"

namespace bench::analysis {
namespace {

std::string tied_cell(const Winner& winner, const RunRecord& run, const Results& results) {
  if (winner.lead == Lead::insufficient) return "? (fewer than 3 visits)";
  std::string text;
  for (const std::size_t i : winner.tied) text += concat(text.empty() ? "" : ", ", run.cases[results.cases[i].case_index].kernel);
  return text;
}

Section section_of(const std::string& op, const std::vector<const Winner*>& winners, const RunRecord& run, const Results& results) {
  Rows firsts;
  for (const Winner* winner : winners) firsts.push_back(&results.cases[winner->order.front()]);
  const std::vector<std::string> vary = varying_parameters(run, firsts);
  Section section{"fastest " + op + " kernel, by problem: " + fixed_parameters(run, firsts), {},
                  "`may be as fast`: rivals that were not shown to be slower (Welch on the visits, Holm over all pairs of rivals of the run)"};
  for (const std::string& name : vary) section.table.heads.push_back({name, true});
  for (const char* head : {"fastest", "of", "median", "ahead by", "second", "may be as fast"}) section.table.heads.push_back({head});
  for (const std::size_t number : {1U, 2U, 3U}) section.table.heads[vary.size() + number].right = true;
  for (const Winner* winner : winners) {
    const CaseResult &first = results.cases[winner->order[0]], &second = results.cases[winner->order[1]];
    std::vector<std::string> cells = parameter_cells(run.cases[first.case_index], vary);
    for (const std::string& cell : {run.cases[first.case_index].kernel, fmt::format("{}", winner->order.size()), time_cell(first.time_s), ratio_cell(winner->ahead),
                                    run.cases[second.case_index].kernel, tied_cell(*winner, run, results)})
      cells.push_back(cell);
    section.table.rows.push_back(std::move(cells));
  }
  return section;
}

}  // namespace

std::vector<Section> winners_sections(const RunRecord& run, const Results& results) {
  const std::vector<Winner> all = find_winners(run, results);
  std::map<std::string, std::vector<const Winner*>> by_op;
  for (const Winner& winner : all) by_op[run.cases[results.cases[winner.order.front()].case_index].op].push_back(&winner);
  std::vector<Section> sections;
  for (const auto& [op, winners] : by_op)
    if (winners.size() > 1) sections.push_back(section_of(op, winners, run, results));
  return sections;
}

}  // namespace bench::analysis
