// SPDX-License-Identifier: Apache-2.0
#include "analysis/winners.hpp"

#include <gtest/gtest.h>

#include "analysis/winners_section.hpp"
#include "tests/analysis/synthetic_run.hpp"

namespace bench::analysis {
namespace {

/// Visits of one kernel on the problem with so many heads: each time is 1.005 ms times one of `scales`.
void add_case(RunRecord& run, const char* kernel, std::int64_t heads, const std::vector<double>& scales) {
  scaling::Case c = synthetic_case("attention", kernel, 1);
  c.id += std::to_string(heads);
  c.params["heads"] = heads;
  run.cases.push_back(c);
  for (const double scale : scales) run.visits.push_back(synthetic_visit(c, scale));
}

RunRecord empty_run() {
  RunRecord run = synthetic_run();
  run.cases.clear();
  run.visits.clear();
  return run;
}

/// Half a per cent between visits, the order of a quiet machine's.
std::vector<double> around(double scale) { return {scale, scale * 1.005, scale * 0.995}; }

TEST(Winners, AreTheFastestOfEachProblemWithHowFarAhead) {
  RunRecord run = empty_run();
  add_case(run, "naive", 4, around(1.0));
  add_case(run, "flash", 4, around(0.5));
  add_case(run, "naive", 8, around(1.0));
  add_case(run, "flash", 8, around(2.0));
  const Results results = make_results(run);
  const std::vector<Winner> winners = find_winners(run, results);
  ASSERT_EQ(winners.size(), 2U);
  EXPECT_EQ(winners[0].order, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(winners[1].order, (std::vector<std::size_t>{2, 3}));
  for (const Winner& winner : winners) {
    EXPECT_NEAR(winner.ahead.value, 2.0, 1e-12);
    EXPECT_EQ(winner.lead, Lead::clear);
    EXPECT_TRUE(winner.tied.empty());
  }
}

TEST(Winners, NameEveryRivalThatMayBeAsFast) {
  RunRecord run = empty_run();
  add_case(run, "naive", 4, around(1.0));
  add_case(run, "flash", 4, around(0.5));
  add_case(run, "ring", 4, around(0.501));  // a fifth of what two visits differ by
  const Results results = make_results(run);
  const Winner winner = find_winners(run, results).front();
  EXPECT_EQ(winner.order, (std::vector<std::size_t>{1, 2, 0}));
  EXPECT_EQ(winner.lead, Lead::tied);
  EXPECT_EQ(winner.tied, (std::vector<std::size_t>{2})) << "naive is twice as slow";
}

TEST(Winners, SayNothingOfALeadWithTooFewVisits) {
  RunRecord run = empty_run();
  add_case(run, "naive", 4, {1.0, 1.0});
  add_case(run, "flash", 4, {0.1, 0.1});
  const Results results = make_results(run);
  EXPECT_EQ(find_winners(run, results).front().lead, Lead::insufficient);
}

TEST(Winners, AdjustForEveryPairThatWasThereToChooseFrom) {
  // 2 % apart with visits that differ by 0.5 %: p = 0.008 alone, so told apart; not among the 45 pairs of ten kernels, of which the fastest was chosen.
  RunRecord alone = empty_run();
  add_case(alone, "a", 4, around(1.0));
  add_case(alone, "b", 4, around(1.02));
  EXPECT_EQ(find_winners(alone, make_results(alone)).front().lead, Lead::clear);
  RunRecord crowd = alone;
  for (const char* kernel : {"c", "d", "e", "f", "g", "h", "i", "j"}) add_case(crowd, kernel, 4, around(1.02));
  const Winner winner = find_winners(crowd, make_results(crowd)).front();
  EXPECT_EQ(winner.order.size(), 10U);
  EXPECT_EQ(winner.lead, Lead::tied);
}

TEST(Winners, LeaveOutWhoHasNoTimeOrSharedItsCores) {
  RunRecord run = empty_run();
  add_case(run, "naive", 4, around(1.0));
  add_case(run, "flash", 4, around(0.5));
  add_case(run, "ring", 4, around(0.25));
  for (VisitRecord& visit : run.visits)
    if (visit.case_id == run.cases[2].id) visit.oversubscribed = true;
  add_case(run, "broken", 4, {});
  const Results results = make_results(run);
  EXPECT_EQ(find_winners(run, results).front().order, (std::vector<std::size_t>{1, 0}));
}

TEST(WinnersSection, IsAMapOfProblemsAndNotOneLineOfTheTableOfCases) {
  RunRecord run = empty_run();
  add_case(run, "naive", 4, around(1.0));
  add_case(run, "flash", 4, around(0.5));
  EXPECT_TRUE(winners_sections(run, make_results(run)).empty()) << "one problem: the table of cases has it";
  add_case(run, "naive", 8, around(1.0));
  add_case(run, "flash", 8, around(0.999));
  const std::vector<Section> sections = winners_sections(run, make_results(run));
  ASSERT_EQ(sections.size(), 1U);
  const auto& rows = sections.front().table.rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0][0], "4") << "heads is what varies";
  EXPECT_EQ(rows[0][1], "attention/flash");
  EXPECT_EQ(rows[0][4].substr(0, 3), "2 [");
  EXPECT_EQ(rows[0][6], "");
  EXPECT_EQ(rows[1][6], "attention/naive") << "a thousandth is not told from nothing";
}

}  // namespace
}  // namespace bench::analysis
