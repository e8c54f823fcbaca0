// SPDX-License-Identifier: Apache-2.0
#include "analysis/varying_parameters.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "analysis/case_parameters.hpp"
#include "scaling/parameters.hpp"

namespace bench::analysis {

std::vector<std::string> varying_parameters(const RunRecord& run, const Rows& rows) {
  struct Seen {
    std::set<std::string> values;
    std::size_t cases = 0;
  };
  std::map<std::string, Seen> seen;
  for (const CaseResult* row : rows)
    for (const auto& [name, value] : run.cases[row->case_index].params) {
      seen[name].values.insert(bench::to_text(value));
      ++seen[name].cases;
    }
  std::vector<std::string> names;
  for (const auto& [name, of_name] : seen)
    if (of_name.values.size() > 1 || of_name.cases < rows.size()) names.push_back(name);
  return names;
}

namespace {

/// Cases over the link that all have by default do not have the parameter; beside those that do, they are named all the same.
std::string absent_cell(const scaling::Case& c, const std::string& name) {
  return name == "link" && int_of(c.params, "ranks", 1) > 1 ? scaling::link_of(c.params) : "-";
}

}  // namespace

std::vector<std::string> parameter_cells(const scaling::Case& c, const std::vector<std::string>& names) {
  std::vector<std::string> cells;
  for (const std::string& name : names) {
    const auto it = c.params.find(name);
    cells.push_back(it == c.params.end() ? absent_cell(c, name) : bench::to_text(it->second));
  }
  return cells;
}

std::string fixed_parameters(const RunRecord& run, const Rows& rows) {
  const std::vector<std::string> vary = varying_parameters(run, rows);
  std::string text;
  for (const auto& [name, value] : run.cases[rows.front()->case_index].params)
    if (std::ranges::find(vary, name) == vary.end()) text += concat(text.empty() ? "" : " ", name, '=', bench::to_text(value));
  return text;
}

}  // namespace bench::analysis
