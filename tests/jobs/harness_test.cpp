// SPDX-License-Identifier: Apache-2.0
// A visit from end to end, over threads and in synthetic time: nothing here waits, nothing depends on the machine's speed.
#include "jobs/harness.hpp"

#include <gtest/gtest.h>

#include "tests/jobs/synthetic_rig.hpp"

namespace bench::jobs {
namespace {

analysis::VisitRecord visit_alone(const std::string& kernel, const scaling::RunSettings& settings = synthetic_settings()) {
  return synthetic_visit({{}}, toy::make_case(kernel, 1), settings);
}

analysis::VisitRecord visit_together(const std::string& kernel, int ranks, std::int64_t length = 10) {
  return synthetic_visit(std::vector<RankScript>(static_cast<std::size_t>(ranks)), toy::make_case(kernel, ranks, length));
}

TEST(Harness, MeasuresARightKernelAndKeepsEverySample) {
  const auto record = visit_alone("toy/right");
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_EQ(record.rank_time_s.size(), 32U) << "a clock without noise converges at the first look";
  EXPECT_EQ(record.stop_reason, "converged");
  EXPECT_EQ(record.warmup_calls, 2);
  EXPECT_EQ(record.rows_checked, 10);
  ASSERT_EQ(record.checks.size(), 1U);
  EXPECT_EQ(record.checks[0].output, "out");
}

TEST(Harness, KeepsEachRanksOwnTime) {
  for (const int ranks : {1, 2, 3, 4}) {  // 3: odd; 10 positions over 3 or 4 ranks are ragged
    const auto record = visit_together("toy/right", ranks);
    EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;
    EXPECT_EQ(record.rank_time_s.size() % static_cast<std::size_t>(ranks), 0U);
    EXPECT_EQ(record.ranks, ranks);
  }
}

TEST(Harness, WorksWhenSomeRanksHoldNothing) { EXPECT_EQ(visit_together("toy/right", 4, 2).outcome, Outcome::ok); }

TEST(Harness, NeverTimesAWrongResultWhicheverRankItIsOn) {
  for (const int ranks : {1, 2, 4}) {
    const auto record = visit_together("toy/wrong_on_last_rank", ranks);
    EXPECT_EQ(record.outcome, Outcome::wrong_result);
    EXPECT_TRUE(record.rank_time_s.empty());
    EXPECT_NE(record.reason.find("out"), std::string::npos) << record.reason;
  }
}

TEST(Harness, FindsAnElementThatWasNeverWritten) {
  const auto record = visit_alone("toy/forgetful");
  EXPECT_EQ(record.outcome, Outcome::wrong_result);
  EXPECT_NE(record.reason.find("never written"), std::string::npos) << record.reason;
}

TEST(Harness, BringsHomeWhatAKernelLeavesElsewhere) {
  const auto record = visit_alone("toy/away");
  EXPECT_EQ(record.outcome, Outcome::ok) << record.reason;
  EXPECT_FALSE(record.rank_time_s.empty());
}

TEST(Harness, RunsAWrongKernelOnceAndNoMore) {
  toy::reset_calls();
  visit_alone("toy/forgetful");
  EXPECT_EQ(toy::calls(), 1);
}

TEST(Harness, TurnsAnExceptionIntoACrashedRowOnEveryRank) {
  for (const int ranks : {1, 3}) {
    const auto record = visit_together("toy/throwing", ranks);
    EXPECT_EQ(record.outcome, Outcome::crashed);
    EXPECT_EQ(record.reason, "toy fell over");
  }
}

TEST(Harness, TurnsMemoryRunningOutIntoAnOomRow) {
  const auto record = visit_together("toy/hungry", 2);
  EXPECT_EQ(record.outcome, Outcome::oom);
  EXPECT_TRUE(record.rank_time_s.empty());
}

TEST(Harness, PassesOnTheWordsOfTheRankThatFailed) {
  EXPECT_EQ(visit_alone("toy/hungry_on_last_rank").reason, "12 bytes were asked for");
  const auto record = visit_together("toy/hungry_on_last_rank", 3);
  EXPECT_EQ(record.outcome, Outcome::oom);
  EXPECT_EQ(record.reason, "rank 2 of the block failed: 12 bytes were asked for");
}

TEST(Harness, SkipsWhatItCannotTimeAndSaysWhy) {
  for (const int ranks : {1, 2}) {
    toy::reset_calls();
    const auto record = visit_together("toy/elsewhere", ranks);
    EXPECT_EQ(record.outcome, Outcome::skipped);
    EXPECT_NE(record.reason.find("time"), std::string::npos) << record.reason;
    EXPECT_EQ(toy::calls(), 0) << "not even once: its device may not be there";
  }
}

TEST(Harness, StopsAtTheBudgetAndSaysSo) {
  scaling::RunSettings settings = synthetic_settings();
  settings.min_samples = 1000, settings.max_samples = 2000;
  settings.budget = 0.1;  // 100 samples of 1 ms
  const auto record = visit_alone("toy/right", settings);
  EXPECT_EQ(record.stop_reason, "budget");
  EXPECT_GE(record.rank_time_s.size(), 6U) << "fewer give no interval";
  EXPECT_LT(record.rank_time_s.size(), 200U);
}

}  // namespace
}  // namespace bench::jobs
