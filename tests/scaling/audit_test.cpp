// SPDX-License-Identifier: Apache-2.0
#include "scaling/audit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "scaling/dispatch.hpp"
#include "scaling/estimate.hpp"
#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

/// Cases of a common kernel, and every 50th of a rare one.
Plan plan_of(std::size_t count) {
  Plan plan;
  plan.machine = {.ranks = 4, .ranks_per_node = 4};
  plan.run.visits = 3;
  for (std::size_t i = 0; i < count; ++i) {
    Case c;
    c.id = concat("case", i);
    c.kernel = i % 50 == 0 ? "rare" : "common";
    c.estimate_s = 1e-3 * static_cast<double>(i % 7);
    plan.cases.push_back(c);
  }
  return plan;
}

std::vector<std::int64_t> all_of(const Plan& plan) {
  std::vector<std::int64_t> indices(plan.cases.size());
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return indices;
}

TEST(Audit, ATenthAtLeastEightAtMostAll) {
  EXPECT_EQ(audit_size(0), 0u);
  EXPECT_EQ(audit_size(5), 5u);
  EXPECT_EQ(audit_size(8), 8u);
  EXPECT_EQ(audit_size(80), 8u);
  EXPECT_EQ(audit_size(81), 9u);  // a tenth, rounded up
  EXPECT_EQ(audit_size(1000), 100u);
}

TEST(Audit, TheSampleIsDrawnBySeedFromThePackedCasesOnly) {
  const Plan plan = plan_of(200);
  std::vector<std::int64_t> packed;
  for (std::int64_t i = 0; i < 200; i += 2) packed.push_back(i);
  const auto sample = audit_sample(plan, packed, 42);
  EXPECT_EQ(sample.size(), 10u);
  EXPECT_TRUE(std::ranges::is_sorted(sample));
  EXPECT_EQ(std::ranges::adjacent_find(sample), sample.end()) << "each once";
  for (const std::int64_t i : sample) EXPECT_EQ(i % 2, 0);
  EXPECT_EQ(audit_sample(plan, packed, 42), sample);
  EXPECT_NE(audit_sample(plan, packed, 43), sample);
  EXPECT_TRUE(audit_sample(plan, {}, 42).empty());
}

TEST(Audit, ARareKernelIsJudgedToo) {
  const Plan plan = plan_of(200);  // 4 cases of the rare kernel: 2 %
  std::map<std::string, int> of;
  for (const std::int64_t i : audit_sample(plan, all_of(plan), 1))
    ++of[plan.cases[static_cast<std::size_t>(i)].kernel];
  EXPECT_EQ(of["rare"], 4);
  EXPECT_EQ(of["common"], 16);
}

TEST(Audit, SoloTasksFollowOnThePlansVisits) {
  const Plan plan = plan_of(20);
  const auto tasks = solo_tasks(plan, std::vector<std::int64_t>{3, 5, 11});
  ASSERT_EQ(tasks.size(), 3u);
  EXPECT_TRUE(std::ranges::is_sorted(tasks, std::ranges::greater{}, &Task::estimate_s));
  for (const Task& t : tasks) EXPECT_EQ(t.visit, 3) << "visits 0, 1, 2 are the plan's";
  Dispatcher dispatcher(plan.machine, tasks, Placement::solo);
  EXPECT_EQ(dispatcher.start_ready().size(), 1u);
}

TEST(Audit, TheRatiosIntervalDecides) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(contention(1.03, 1.10), Contention::contended);
  EXPECT_EQ(contention(0.90, 0.97), Contention::contended) << "faster beside others is no less wrong";
  EXPECT_EQ(contention(0.99, 1.01), Contention::clean);
  EXPECT_EQ(contention(0.98, 1.02), Contention::clean);
  EXPECT_EQ(contention(1.01, 1.05), Contention::undecided);
  EXPECT_EQ(contention(0.90, 1.10), Contention::undecided) << "too wide to say";
  EXPECT_EQ(contention(1.02, 1.05), Contention::undecided) << "it touches the range";
  EXPECT_EQ(contention(kNone, kNone), Contention::undecided);
}

}  // namespace
}  // namespace bench::scaling
