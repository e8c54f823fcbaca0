// SPDX-License-Identifier: Apache-2.0
#include "analysis/rivals_section.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

/// Two problems, four and eight heads, on which flash is 2 and 8 times as fast as naive.
RunRecord two_cells() {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  for (const std::int64_t heads : {4, 8})
    for (const char* kernel : {"naive", "flash"}) {
      scaling::Case c = synthetic_case("attention", kernel, 1);
      c.id += std::to_string(heads);
      c.params["heads"] = heads;
      c.sweeps = {"study/size"};
      run.cases.push_back(c);
      run.visits.push_back(synthetic_visit(c, std::string(kernel) == "naive" ? 1.0 : heads == 4 ? 1.0 / 2 : 1.0 / 8));
    }
  return run;
}

TEST(RivalsSection, GivesTheGeometricMeanAndTheWorstCellOfASweep) {
  const RunRecord run = two_cells();
  const Section section = rivals_section(run, make_results(run));
  ASSERT_EQ(section.table.rows.size(), 1U) << "the baseline is no rival of its own";
  const auto& row = section.table.rows.front();
  EXPECT_EQ(row[0], "size");
  EXPECT_EQ(row[1], "attention/flash");
  EXPECT_EQ(row[2], "attention/naive");
  EXPECT_EQ(row[3], "2");
  EXPECT_EQ(row[4].substr(0, 3), "4 [") << "sqrt(2 x 8)";
  EXPECT_EQ(row[5], "2");
  EXPECT_EQ(row[6], "8");
}

TEST(RivalsSection, HasTheIntervalOfIndependentCells) {
  const RunRecord run = two_cells();
  const Results results = make_results(run);
  double squares = 0.0;
  for (const CaseResult& result : results.cases)
    if (result.speedup && run.cases[result.case_index].kernel != "attention/naive")
      squares += std::pow(0.5 * std::log(result.speedup->interval->hi / result.speedup->interval->lo), 2);
  char text[64];
  const double factor = std::exp(std::sqrt(squares) / 2.0);
  std::snprintf(text, sizeof text, "4 [%.3g, %.3g]", 4.0 / factor, 4.0 * factor);
  EXPECT_EQ(rivals_section(run, results).table.rows.front()[4], text);
}

TEST(RivalsSection, LeavesOutASingleCell) {
  RunRecord run = two_cells();
  run.cases.resize(2);
  run.visits.resize(2);
  EXPECT_TRUE(rivals_section(run, make_results(run)).table.rows.empty()) << "the table of cases has it already";
}

}  // namespace
}  // namespace bench::analysis
