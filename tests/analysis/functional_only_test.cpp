// SPDX-License-Identifier: Apache-2.0
// Rows of ranks that shared a device: right, and without any figure. Records by hand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "analysis/audit.hpp"
#include "analysis/compare/run_side.hpp"
#include "analysis/fits/fit_rows.hpp"
#include "analysis/record_json.hpp"
#include "analysis/results.hpp"
#include "analysis/store.hpp"
#include "analysis/table.hpp"
#include "analysis/winners.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

/// As the harness leaves one: checked, no samples.
VisitRecord checked_only(const scaling::Case& c) {
  VisitRecord visit{.case_id = c.id, .ranks = c.ranks, .functional_only = true};
  visit.checks = {{"out", 1e-4, 1e-2}};
  return visit;
}

/// A curve over 1, 2 and 4 ranks of two rivals, of which those of more than one rank shared a device.
RunRecord shared_run() {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  for (const char* kernel : {"ring", "allgather"})
    for (const std::int64_t ranks : {1, 2, 4}) {
      scaling::Case c = synthetic_case("attention", kernel, ranks);
      c.id += kernel;
      c.params["ranks"] = ranks;
      c.baseline = "attention/ring";
      c.cost.flops = 1e9;
      c.scaling = {{"s/strong", "strong", "", kernel}};
      run.cases.push_back(c);
      for (int visit = 0; visit < 3; ++visit) {
        run.visits.push_back(ranks == 1 ? synthetic_visit(c, 1.0) : checked_only(c));
        run.visits.back().visit = visit;
      }
    }
  return run;
}

TEST(FunctionalOnly, RowsAreOkAndHaveNoFigures) {
  const RunRecord run = shared_run();
  const Results results = make_results(run);
  for (const CaseResult& result : results.cases) {
    const bool alone = run.cases[result.case_index].ranks == 1;
    EXPECT_EQ(result.outcome, Outcome::ok);
    EXPECT_EQ(result.functional_only, !alone);
    EXPECT_EQ(result.timed(), alone);
    EXPECT_GT(result.tolerance, 0.0) << "the check counts";
    if (alone) continue;
    EXPECT_EQ(result.n, 0);
    EXPECT_EQ(result.n_visits, 0);
    EXPECT_EQ(result.flops_per_s, 0.0);
    EXPECT_FALSE(result.speedup);
    EXPECT_FALSE(result.verdict);
    EXPECT_NE(result.reason.find("shared a device"), std::string::npos) << result.reason;
  }
}

TEST(FunctionalOnly, PointsHaveNoEfficiencyAndSayWhy) {
  for (const ScalingRow& row : make_results(shared_run()).scaling) {
    const bool alone = row.rate_per_rank > 0.0;
    EXPECT_EQ(row.efficiency.has_value(), alone);
    EXPECT_EQ(row.note.find("shared a device") != std::string::npos, !alone) << row.note;
    EXPECT_EQ(row.base_ranks, 1);
  }
}

TEST(FunctionalOnly, PointsAreNeitherFittedNorWin) {
  const RunRecord run = shared_run();
  const Results results = make_results(run);
  for (const Winner& winner : find_winners(run, results))
    for (const std::size_t place : winner.order) EXPECT_EQ(run.cases[place].ranks, 1);
  EXPECT_TRUE(audit_rows(run).empty());
}

TEST(FunctionalOnly, CasesStandAmongThoseWithoutTimes) {
  const RunRecord run = shared_run();
  const Results results = make_results(run);
  EXPECT_EQ(untimed_section(run, results).table.rows.size(), 1U) << "one reason";
  const std::string text = tables_text(all_sections(run, results, {}));
  EXPECT_NE(text.find("shared a device"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos) << text;
}

TEST(FunctionalOnly, AreNothingToCompare) {
  const RunRecord run = shared_run();
  EXPECT_EQ(run_side(run).cases.size(), run.cases.size());
  for (const auto& [key, measured] : run_side(run).cases)
    EXPECT_EQ(measured.visits_s.empty(), measured.outcome == Outcome::skipped);
}

TEST(FunctionalOnly, GoThroughJsonAndTheFile) {
  const RunRecord run = shared_run();
  const VisitRecord &timed = run.visits.front(), &checked = run.visits.back();
  EXPECT_FALSE(to_json(timed).contains("functional_only")) << "most are not";
  EXPECT_TRUE(visit_from_json(to_json(checked)).functional_only);
  nlohmann::json wrong = to_json(checked);
  wrong.erase("functional_only");
  EXPECT_THROW(visit_from_json(wrong), Error) << "ok without samples";
  wrong = to_json(timed);
  wrong["functional_only"] = true;
  EXPECT_THROW(visit_from_json(wrong), Error) << "times of ranks that shared a device";

  const std::filesystem::path path = std::filesystem::temp_directory_path() / concat("functional_only_", getpid(), ".h5");
  write_store(run, path);
  const RunRecord back = read_store(path);
  std::filesystem::remove(path);
  ASSERT_EQ(back.visits.size(), run.visits.size());
  for (std::size_t v = 0; v < run.visits.size(); ++v) EXPECT_EQ(back.visits[v].functional_only, run.visits[v].functional_only);
}

}  // namespace
}  // namespace bench::analysis
