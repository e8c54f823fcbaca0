// SPDX-License-Identifier: Apache-2.0
#include "analysis/columns.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "scaling/parameters.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

TEST(CaseColumns, HaveOneNameEachWhateverTheOpsCallTheirParameters) {
  RunRecord run;
  for (const Op* op : Registry<Op>::instance().all()) {
    scaling::Case c;
    c.id = c.op = op->name;
    c.kernel = op->name + "/some_kernel";
    c.params = default_params(*op);
    for (const ParamSpec& spec : scaling::protocol_params()) c.params.emplace(spec.name, spec.fallback);
    run.cases.push_back(c);
  }
  ASSERT_FALSE(run.cases.empty());
  std::set<std::string> names;
  for (const Column& column : case_columns(run, make_results(run)))
    EXPECT_TRUE(names.insert(column.name).second) << column.name << " is a figure and a parameter of some op";
}

TEST(CaseColumns, HaveAColumnForEachFigureAndNoValueWhereACaseHasNone) {
  RunRecord run = synthetic_run();
  ASSERT_GE(run.visits.size(), 2U);
  for (VisitRecord& visit : run.visits) visit.figures.clear();
  const auto figures = [&] {
    std::map<std::string, Column> columns;
    for (Column& column : case_columns(run, make_results(run)))
      if (column.name.starts_with(kFigurePrefix)) columns.emplace(column.name, std::move(column));
    return columns;
  };
  EXPECT_TRUE(figures().empty());
  run.visits[0].figures = {{"snr", "dB", 21.5}};
  const auto columns = figures();
  ASSERT_EQ(columns.size(), 1U);
  EXPECT_EQ(columns.begin()->first, "figure_snr");
  EXPECT_EQ(columns.begin()->second.unit, "dB");
  const auto& values = std::get<std::vector<double>>(columns.begin()->second.values);
  EXPECT_EQ(std::ranges::count(values, 21.5), 1);
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count_if(values, [](double v) { return std::isnan(v); })), values.size() - 1);
}

}  // namespace
}  // namespace bench::analysis
