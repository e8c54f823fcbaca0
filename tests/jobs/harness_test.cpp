// SPDX-License-Identifier: Apache-2.0
// A visit from end to end, over threads and with a clock of our own: nothing here waits, nothing depends on the machine's speed.
#include "jobs/harness.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "src/comm/link_self.hpp"
#include "src/comm/link_threads.hpp"
#include "tests/jobs/toy_kernels.hpp"

namespace bench::jobs {
namespace {

/// Every reading is `step` seconds after the last, so a call between two readings takes one step.
Clock ticking(double step) {
  auto now = std::make_shared<std::atomic<std::int64_t>>(0);
  return [now, step] { return step * static_cast<double>((*now)++); };
}

const scaling::RunSettings kSettings{.warmup = 2, .min_samples = 32, .max_samples = 64, .min_time = 0.0, .budget = 1e6};

analysis::VisitRecord visit_alone(const std::string& kernel, const scaling::RunSettings& settings = kSettings, double step = 1e-3) {
  comm::LinkSelf link;
  Harness harness(settings, ticking(step));
  return harness.visit(toy::make_case(kernel, 1), link);
}

analysis::VisitRecord visit_together(const std::string& kernel, int ranks, std::int64_t length = 10) {
  analysis::VisitRecord first;
  comm::run_on_threads(ranks, [&](Link& link) {
    Harness harness(kSettings, ticking(1e-3));
    auto record = harness.visit(toy::make_case(kernel, ranks, length), link);
    if (link.rank() == 0) first = std::move(record);
  });
  return first;
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

TEST(Harness, StopsAtTheBudgetAndSaysSo) {
  scaling::RunSettings settings = kSettings;
  settings.min_samples = 1000, settings.max_samples = 2000;
  settings.budget = 0.1;  // some 50 samples of one step of 1 ms and one between them
  const auto record = visit_alone("toy/right", settings);
  EXPECT_EQ(record.stop_reason, "budget");
  EXPECT_GE(record.rank_time_s.size(), 6U) << "fewer give no interval";
  EXPECT_LT(record.rank_time_s.size(), 200U);
}

TEST(Harness, TakesSeveralCallsASampleWhenACallIsShorterThanTheClockCanTell) {
  scaling::RunSettings settings = kSettings;
  const auto record = visit_alone("toy/right", settings, 1e-7);
  EXPECT_NEAR(static_cast<double>(record.calls_per_sample), 200.0, 1.0) << "20 us over 100 ns, rounded up";
}

}  // namespace
}  // namespace bench::jobs
