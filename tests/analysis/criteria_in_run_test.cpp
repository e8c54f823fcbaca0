// SPDX-License-Identifier: Apache-2.0
// The criteria of a study, held against its baselines: what is wrong is in the table, and is not called fast anywhere.
#include <gtest/gtest.h>

#include "analysis/compare/baseline_sides.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

/// The pencil run with five visits to naive (the baseline) and to flash, which takes half the time.
RunRecord five_visits() {
  RunRecord run = synthetic_run();
  for (int more = 0; more < 4; ++more)
    for (const std::size_t v : {0U, 1U}) {
      run.visits.push_back(run.visits[v]);
      run.visits.back().visit = more + 1;
      for (double& time : run.visits.back().rank_time_s) time *= 1.0 + 0.001 * more;  // some spread between visits
    }
  return run;
}

TEST(CriteriaInARun, BlankTheVerdictOfWhatIsFastAndNotAccurateEnough) {
  RunRecord run = five_visits();
  const std::size_t flash = case_of(run, "attention/flash");
  ASSERT_EQ(make_results(run).cases[flash].verdict, Verdict::faster);
  run.policy = "schema_version: 1\ncriteria: {max_abs_diff: 1e-8}\n";  // the checks of the pencil run are at 1e-6
  EXPECT_EQ(make_results(run).cases[flash].verdict, Verdict::invalid);
  run.policy = "schema_version: 1\ncriteria: {max_abs_diff: 1e-4}\n";
  EXPECT_EQ(make_results(run).cases[flash].verdict, Verdict::faster);
}

TEST(CriteriaInARun, ShowARivalWhoseResultIsWrong) {
  RunRecord run = five_visits();
  run.policy = "schema_version: 1\ncriteria: {max_abs_diff: 1e-4, min_speedup: 1.2}\n";
  const Results results = make_results(run);
  const Section section = criteria_section(run, results, parse_policy(run.policy, "policy"));
  bool found = false;
  for (const auto& row : section.table.rows) found |= row[0].find("broken") != std::string::npos && row[1] == "max_abs_diff" && row[2] == "failed";
  EXPECT_TRUE(found) << section.table.text();
}

}  // namespace
}  // namespace bench::analysis
