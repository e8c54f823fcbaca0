// SPDX-License-Identifier: Apache-2.0
// Rivals inside one run: the visits of a case against those of its baseline on the same problem.
#include "analysis/baseline_verdicts.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/compare/baseline_sides.hpp"
#include "tests/analysis/synthetic_run.hpp"
#include "tests/analysis/three_launches.hpp"

namespace bench::analysis {
namespace {

constexpr std::int64_t kVisits = 5;  // what a study that wants verdicts asks for; three is the fewest

/// naive (the baseline), flash and ring on one rank, not visited yet.
RunRecord rivals() {
  RunRecord run = synthetic_run();
  run.cases.resize(3);
  run.visits.clear();
  return run;
}

/// Visits of case `i` whose medians are `scale` times those of the ten samples, their logarithms `step` apart
/// and symmetric, so that their geometric mean is `scale` times too. 0.5 % apart, five visits tell 2 %.
void visit(RunRecord& run, std::size_t i, double scale, std::int64_t visits = kVisits, double step = 0.005) {
  for (std::int64_t k = 0; k < visits; ++k) {
    const double place = static_cast<double>(k) - static_cast<double>(visits - 1) / 2.0;
    run.visits.push_back(synthetic_visit(run.cases[i], scale * std::exp(step * place)));
    run.visits.back().visit = k;
  }
}

/// The verdict on flash when it takes `scale` times what naive does.
CaseResult against_naive(double scale, std::int64_t visits, double step = 0.005) {
  RunRecord run = rivals();
  visit(run, 0, 1.0, visits, step);
  visit(run, 1, scale, visits, step);
  return make_results(run).cases.at(1);
}

TEST(BaselineVerdicts, CallARivalThatTakesHalfTheTimeFaster) {
  const CaseResult flash = against_naive(0.5, kVisits);
  ASSERT_TRUE(flash.verdict);
  EXPECT_EQ(*flash.verdict, Verdict::faster);
  EXPECT_LT(flash.speedup_p, 1e-6) << "ln 2 is some 140 standard errors";
  EXPECT_LT(flash.hedges_g, 0.0) << "negative: the rival takes less";
  EXPECT_NEAR(flash.speedup.value().value, 2.0, 1e-9) << "and the speed-up says the same";
}

TEST(BaselineVerdicts, CallARivalThatTakesTwiceTheTimeSlower) {
  const CaseResult flash = against_naive(2.0, kVisits);
  EXPECT_EQ(flash.verdict, Verdict::slower);
  EXPECT_GT(flash.hedges_g, 0.0);
}

TEST(BaselineVerdicts, NeverCallAnEqualRivalFaster) {
  // sd 0.8 %: the 90 % interval is +-0.9 %, inside 2 %. sd 16 %: it is +-20 %, and nothing can be said.
  EXPECT_EQ(against_naive(1.0, kVisits, 0.005).verdict, Verdict::same);
  EXPECT_EQ(against_naive(1.0, kVisits, 0.1).verdict, Verdict::ambiguous);
  EXPECT_EQ(against_naive(0.95, kVisits, 0.1).verdict, Verdict::ambiguous) << "5 % in a spread of 16 %";
}

TEST(BaselineVerdicts, NeedThreeVisitsOfBoth) {
  for (const std::int64_t visits : {1, 2}) {  // one: the quick study; two: one under the fewest
    const CaseResult flash = against_naive(0.5, visits);
    EXPECT_EQ(flash.verdict, Verdict::insufficient) << visits << " visits; a factor of 2 is no proof";
    EXPECT_TRUE(std::isnan(flash.speedup_p)) << "no test, no p";
  }
  RunRecord run = rivals();
  visit(run, 0, 1.0, 1);
  visit(run, 1, 0.5, kVisits);
  EXPECT_EQ(make_results(run).cases[1].verdict, Verdict::insufficient) << "the baseline has one visit";
}

TEST(BaselineVerdicts, AreNotGivenToTheBaselineNorWithoutOne) {
  RunRecord run = synthetic_run();
  const Results results = make_results(run);
  const CaseResult& naive = results.cases[case_of(run, "attention/naive")];
  EXPECT_TRUE(naive.baseline_case) << "its speed-up is 1 by definition";
  EXPECT_FALSE(naive.verdict);
  EXPECT_TRUE(std::isnan(naive.speedup_p));
  EXPECT_TRUE(std::isnan(naive.hedges_g));
  for (const char* none : {"attention/broken", "attention/missing", "recurrence/chunked"})
    EXPECT_FALSE(results.cases[case_of(run, none)].verdict) << none;
  EXPECT_FALSE(results.cases[case_of(run, "attention/ring", 2)].verdict) << "naive did not run on 2 ranks";
}

TEST(BaselineVerdicts, AdjustPByHolmOverTheRivalsThatHaveOne) {
  // Three visits a side, 5 % apart, make p a closed form, and no ratio here counts as the same.
  constexpr double kStep = 0.05;
  RunRecord run = rivals();
  run.cases.push_back(synthetic_case("attention", "lone", 1));
  visit(run, 0, 1.0, 3, kStep);
  visit(run, 1, ratio_of_t(-3.0, kStep), 3, kStep);  // p = 0.040: alone it would pass
  visit(run, 2, ratio_of_t(-9.0, kStep), 3, kStep);  // p = 0.0008
  visit(run, 3, 0.1, 1);                             // no p: does not count towards the size
  const Results results = make_results(run);
  EXPECT_NEAR(results.cases[2].speedup_p, 2.0 * p_of_t4(9.0), 1e-9)
      << "the smallest of two, not of three or four";
  EXPECT_NEAR(results.cases[1].speedup_p, p_of_t4(3.0), 1e-9);
  EXPECT_EQ(results.cases[2].verdict, Verdict::faster);
  EXPECT_EQ(results.cases[1].verdict, Verdict::faster);
  EXPECT_EQ(results.cases[3].verdict, Verdict::insufficient);

  // Two rivals of p = 0.040 each: both are doubled, and neither passes any more.
  RunRecord close = rivals();
  visit(close, 0, 1.0, 3, kStep);
  for (const std::size_t i : {1U, 2U}) visit(close, i, ratio_of_t(-3.0, kStep), 3, kStep);
  const Results undecided = make_results(close);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_NEAR(undecided.cases[i].speedup_p, 2.0 * p_of_t4(3.0), 1e-9);
    EXPECT_EQ(undecided.cases[i].verdict, Verdict::ambiguous);
  }
}

TEST(BaselineSides, PutVisitsInThePlaceOfLaunches) {
  RunRecord run = rivals();
  visit(run, 0, 1.0);
  visit(run, 1, 0.5);
  const auto [before, after] = baseline_sides(run, make_results(run));
  EXPECT_EQ(before.label, "baseline");
  EXPECT_EQ(after.label, "pencil");
  ASSERT_EQ(after.cases.size(), 1U) << "neither the baseline itself nor ring, which was not measured";
  const std::string& id = run.cases[1].id;
  ASSERT_TRUE(before.cases.contains(id)) << "the baseline stands under the id of its rival";
  const Measured &naive = before.cases.at(id), &flash = after.cases.at(id);
  ASSERT_EQ(naive.launches_s.size(), 5U);
  ASSERT_EQ(flash.launches_s.size(), 5U);
  EXPECT_NEAR(naive.launches_s[2], 1.005e-3, 1e-15) << "the middle visit is the ten samples themselves";
  EXPECT_NEAR(flash.launches_s[2], 0.5 * 1.005e-3, 1e-15);
}

/// flash takes half the time, ring the same; five visits each.
RunRecord judged_run() {
  RunRecord run = rivals();
  visit(run, 0, 1.0);
  visit(run, 1, 0.5);
  visit(run, 2, 1.0);
  return run;
}

/// "kernel criterion state" of every row.
std::vector<std::string> states(const Section& section) {
  std::vector<std::string> list;
  for (const auto& row : section.table.rows)
    list.push_back(concat(row.at(0).substr(0, row.at(0).find(' ')), ' ', row.at(1), ' ', row.at(2)));
  return list;
}

TEST(CriteriaSection, PutsWhatIsNotMetFirst) {
  Policy policy;
  policy.criteria.min_speedup = 1.2;
  policy.criteria.max_memory_increase = 0.05;
  RunRecord run = judged_run();
  for (VisitRecord& one : run.visits)
    if (one.case_id == run.cases[2].id) one.peak_memory_bytes = 0;  // unavailable
  const Section section = criteria_section(run, make_results(run), policy);
  EXPECT_EQ(states(section),
            (std::vector<std::string>{
                "attention/ring min_speedup failed", "attention/ring max_memory_increase not measured",
                "attention/flash min_speedup met", "attention/flash max_memory_increase met"}));
  EXPECT_FALSE(section.note.empty());
}

TEST(CriteriaSection, HoldsNothingAgainstOneVisit) {
  Policy policy;
  policy.criteria.min_speedup = 1.2;
  RunRecord run = rivals();
  visit(run, 0, 1.0, 1);
  visit(run, 1, 0.1, 1);
  EXPECT_EQ(states(criteria_section(run, make_results(run), policy)),
            std::vector<std::string>{"attention/flash min_speedup not measured"});
}

TEST(CriteriaSection, IsEmptyWhenNothingIsAskedForOrNothingHasABaseline) {
  const RunRecord run = judged_run();
  const Section unasked = criteria_section(run, make_results(run), Policy{});
  EXPECT_TRUE(unasked.table.rows.empty());
  EXPECT_TRUE(unasked.note.empty()) << "a note on criteria where there are none";
  Policy policy;
  policy.criteria.min_speedup = 1.2;
  RunRecord alone = rivals();
  visit(alone, 1, 0.5);  // flash, without the naive it would be held against
  EXPECT_TRUE(criteria_section(alone, make_results(alone), policy).table.rows.empty());
}

}  // namespace
}  // namespace bench::analysis
