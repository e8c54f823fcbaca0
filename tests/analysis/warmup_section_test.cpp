// SPDX-License-Identifier: Apache-2.0
#include "analysis/warmup_section.hpp"

#include <gtest/gtest.h>

#include "analysis/sample_times.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

/// A run without cases: every test adds its own.
RunRecord empty_run() {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  return run;
}

/// A case after `warmup` untimed calls and its one visit, whose samples are given in milliseconds. Three
/// samples a, m - d, m + d give mean m and sd d with a = m: a pencil is enough.
void add(RunRecord& run, std::int64_t warmup, const std::vector<double>& samples_ms, std::int64_t heads = 4) {
  scaling::Case c = synthetic_case("attention", "flash", 1);
  c.params["warmup"] = warmup;
  c.params["heads"] = heads;
  c.id += "-" + std::to_string(warmup) + "-" + std::to_string(heads);
  VisitRecord visit = synthetic_visit(c, 1.0);
  visit.rank_time_s.clear();
  for (const double sample : samples_ms) visit.rank_time_s.push_back(1e-3 * sample);
  run.cases.push_back(c);
  run.visits.push_back(visit);
}

std::vector<std::vector<std::string>> rows_of(const RunRecord& run) {
  return warmup_section(run, make_results(run)).table.rows;
}
/// A row without its first cell, the name.
std::vector<std::string> figures(const std::vector<std::string>& row) {
  return {row.begin() + 1, row.end()};
}

using Cells = std::vector<std::string>;

TEST(WarmupSection, HasMeanSdCvAndTheDifferenceToFiveCalls) {
  RunRecord run = empty_run();
  add(run, 10, {1.6, 1.0, 2.2});  // 0.6 / 1.6 = 37.5 %; 1.6 / 2 = -20 %
  add(run, 5, {2.0, 1.5, 2.5});   // 0.5 / 2 = 25 %
  add(run, 0, {6.0, 2.0, 4.0});   // 2 / 4 = 50 %; 4 / 2 = +100 %
  const auto rows = rows_of(run);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(figures(rows[0]), (Cells{"0", "4 ms", "2 ms", "50.0", "+100.0 %", "3"}));
  EXPECT_EQ(figures(rows[1]), (Cells{"5", "2 ms", "0.5 ms", "25.0", "+0.0 %", "3"}));
  EXPECT_EQ(figures(rows[2]), (Cells{"10", "1.6 ms", "0.6 ms", "37.5", "-20.0 %", "3"}))
      << "ten comes after five: numbers, not texts";
  for (const auto& row : rows)
    EXPECT_EQ(row.at(0).find("warmup"), std::string::npos) << "what they share: " << row[0];
}

TEST(WarmupSection, CountsTheSamplesThatAreFlaggedAsWarmUp) {
  RunRecord run = empty_run();
  add(run, 0, {6.0, 2.0, 4.0});
  run.visits[0].flags = {kWarmup, 0, 0};
  const Results results = make_results(run);
  EXPECT_EQ(results.cases[0].n, 2) << "the headline leaves it out";
  const auto rows = warmup_section(run, results).table.rows;
  EXPECT_EQ(figures(rows.at(0)), (Cells{"0", "4 ms", "2 ms", "50.0", "-", "3"})) << "this table must not";
}

TEST(WarmupSection, PoolsTheVisitsOfACase) {
  RunRecord run = empty_run();
  add(run, 5, {2.0, 2.0});
  run.visits.push_back(run.visits[0]);
  run.visits[1].visit = 1;
  run.visits[1].rank_time_s = {4e-3, 4e-3};
  // Squares about the mean of 3 ms: 1 each, 4 over n - 1 = 3; sd = 1.155 ms, CV 38.5 %.
  EXPECT_EQ(figures(rows_of(run).at(0)), (Cells{"5", "3 ms", "1.155 ms", "38.5", "+0.0 %", "4"}));
}

TEST(WarmupSection, ComparesOnlyWithinTheSameProblem) {
  RunRecord run = empty_run();
  add(run, 0, {4.0, 4.0}, 4);
  add(run, 5, {2.0, 2.0}, 4);
  add(run, 0, {8.0, 8.0}, 8);  // twice the heads; nobody measured it after 5 calls
  const auto rows = rows_of(run);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(figures(rows[0]), (Cells{"0", "4 ms", "0 ms", "0.0", "+100.0 %", "2"}));
  EXPECT_EQ(figures(rows[2]), (Cells{"0", "8 ms", "0 ms", "0.0", "-", "2"}))
      << "another problem is no reference";
  EXPECT_NE(rows[0].at(0), rows[2].at(0)) << "and the name tells them apart";
}

TEST(WarmupSection, IsEmptyWithoutTheParameter) {
  const RunRecord run = synthetic_run();
  EXPECT_TRUE(rows_of(run).empty());
  for (const Section& section : all_sections(run, make_results(run))) EXPECT_NE(section.title, "warm-up");
}

TEST(WarmupSection, LeavesOutCasesThatFailed) {
  RunRecord run = empty_run();
  add(run, 0, {4.0, 4.0});
  add(run, 5, {2.0, 2.0});
  run.visits[1].outcome = Outcome::crashed;
  run.visits[1].rank_time_s.clear();
  const auto rows = rows_of(run);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(figures(rows[0]), (Cells{"0", "4 ms", "0 ms", "0.0", "-", "2"})) << "and is no reference either";
}

}  // namespace
}  // namespace bench::analysis
