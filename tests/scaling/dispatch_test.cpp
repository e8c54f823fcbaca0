// SPDX-License-Identifier: Apache-2.0
#include "scaling/dispatch.hpp"

#include <gtest/gtest.h>

#include "tests/scaling/schedules.hpp"

namespace bench::scaling {
namespace {

using testing::broken_laws;
using testing::drive;
using testing::Hat;
using testing::tasks_from;

Task task(std::int64_t case_index, std::int64_t ranks, Isolation isolation = Isolation::none,
          std::int64_t visit = 0) {
  return {
      .case_index = case_index, .visit = visit, .estimate_s = 1.0, .ranks = ranks, .isolation = isolation};
}

std::vector<std::int64_t> cases_of(const std::vector<Assignment>& started) {
  std::vector<std::int64_t> cases;
  for (const Assignment& a : started) cases.push_back(a.task.case_index);
  return cases;
}

using Cases = std::vector<std::int64_t>;

TEST(Dispatch, StartsInOrderOfPreferenceWhateverFits) {
  Dispatcher d({.ranks = 4, .ranks_per_node = 4},
               {task(0, 2), task(1, 4), task(2, 1), task(3, 1), task(4, 1)});
  const auto started = d.start_ready();
  EXPECT_EQ(cases_of(started), (Cases{0, 2, 3}));  // 1 needs the world, 4 finds no rank
  EXPECT_EQ(started[0].first_rank, 0);
  EXPECT_EQ(started[1].first_rank, 2);
  EXPECT_EQ(started[2].first_rank, 3);
  EXPECT_EQ(d.waiting(), 2u);
  EXPECT_FALSE(d.idle());
  d.finished(started[1].id);
  EXPECT_EQ(cases_of(d.start_ready()), Cases{4});
  EXPECT_TRUE(d.start_ready().empty()) << "nothing starts twice";
  while (!d.idle()) d.finished(d.running().front().id);
  EXPECT_EQ(cases_of(d.start_ready()), Cases{1});
  d.finished(d.running().front().id);
  EXPECT_TRUE(d.done());
}

TEST(Dispatch, AWidthThatIsNoPowerOfTwoTakesTheEnclosingBlock) {
  Dispatcher d({.ranks = 4, .ranks_per_node = 4}, {task(0, 3), task(1, 1)});
  const auto started = d.start_ready();
  ASSERT_EQ(started.size(), 1u) << "the fourth rank of the block stays idle";
  EXPECT_EQ(started[0].ranks, 3);
  EXPECT_EQ(started[0].width, 4);
}

TEST(Dispatch, AnIsolatedTaskSharesNoNode) {
  const Machine machine{.ranks = 4, .ranks_per_node = 2};
  Dispatcher d(machine, {task(0, 1, Isolation::node), task(1, 1), task(2, 1), task(3, 1, Isolation::node)});
  const auto started = d.start_ready();
  EXPECT_EQ(cases_of(started), (Cases{0, 1, 2}));
  EXPECT_EQ(started[1].first_rank, 2);
  EXPECT_EQ(started[2].first_rank, 3);
  d.finished(started[1].id);
  EXPECT_TRUE(d.start_ready().empty()) << "its node still has a neighbour";
  d.finished(started[2].id);
  EXPECT_EQ(cases_of(d.start_ready()), Cases{3});
}

TEST(Dispatch, NeighboursAreTheCasesOnTheSameNodesAtTheStart) {
  const Machine machine{.ranks = 4, .ranks_per_node = 2};
  Dispatcher d(machine, {task(7, 1), task(5, 1), task(6, 2)});
  const auto started = d.start_ready();
  ASSERT_EQ(started.size(), 3u);
  EXPECT_EQ(started[0].neighbours, Cases{5}) << "also those that start at the same moment";
  EXPECT_EQ(started[1].neighbours, Cases{7});
  EXPECT_EQ(started[2].neighbours, Cases{}) << "another node";
}

TEST(Dispatch, ACaseNeverRunsBesideItself) {
  Dispatcher d({.ranks = 4, .ranks_per_node = 4},
               {task(0, 1), task(1, 1), task(0, 1, Isolation::none, 1), task(1, 1, Isolation::none, 1)});
  EXPECT_EQ(cases_of(d.start_ready()), (Cases{0, 1}));
  d.finished(d.running()[1].id);
  const auto next = d.start_ready();
  EXPECT_EQ(cases_of(next), Cases{1}) << "case 0 still runs; case 1 may go on to the next round";
  EXPECT_EQ(next[0].task.visit, 1);
}

TEST(Dispatch, GapsAreFilledFromOneRoundAheadAtMost) {
  std::vector<Task> tasks{task(0, 2)};
  for (std::int64_t visit = 0; visit < 3; ++visit) tasks.push_back(task(1, 1, Isolation::none, visit));
  Dispatcher d({.ranks = 2, .ranks_per_node = 2}, {tasks[1], tasks[0], tasks[2], tasks[3]});
  std::vector<std::pair<std::int64_t, std::int64_t>> order;
  for (const auto& stay : drive(d, [](const Assignment&) { return 1.0; }))
    order.emplace_back(stay.task.case_index, stay.task.visit);
  using Order = decltype(order);
  EXPECT_EQ(order, (Order{{1, 0}, {0, 0}, {1, 1}, {1, 2}}));
  Dispatcher busy({.ranks = 2, .ranks_per_node = 2}, {task(2, 1), tasks[0], tasks[1], tasks[2], tasks[3]});
  const auto long_one = busy.start_ready().front();  // case 2 keeps a rank for long: case 0 has to wait
  for (std::int64_t visit = 0; visit < 2; ++visit) {
    ASSERT_EQ(busy.running().size(), 2u);
    busy.finished(busy.running().back().id);
    EXPECT_EQ(busy.start_ready().size(), visit == 0 ? 1u : 0u)
        << "visit 2 would be two rounds ahead of case 0";
  }
  busy.finished(long_one.id);
  EXPECT_EQ(cases_of(busy.start_ready()), Cases{0});
}

TEST(Dispatch, RoundsComeFirstWhateverTheOrderGiven) {
  Dispatcher d({.ranks = 1}, {task(0, 1, Isolation::node, 1), task(1, 1, Isolation::node, 0)});
  EXPECT_EQ(cases_of(d.start_ready()), Cases{1});
}

TEST(Dispatch, ARetryGoesToTheFront) {
  Dispatcher d({.ranks = 2, .ranks_per_node = 2}, {task(0, 1), task(1, 1), task(2, 2), task(3, 1)});
  const auto started = d.start_ready();
  d.finished(started[0].id);
  Task again = started[0].task;
  again.attempt = 2;
  again.visit = 9;  // far beyond the round that waits: a retry starts all the same
  d.requeue(again);
  EXPECT_EQ(d.waiting(), 3u);
  const auto next = d.start_ready();
  EXPECT_EQ(cases_of(next), Cases{0});
  EXPECT_EQ(next[0].task.attempt, 2);
}

/// Starts one task, expects it on `rank`, and ends it unless it is to stay.
std::int64_t start_on(Dispatcher& d, std::int64_t rank, bool stay = false) {
  const auto started = d.start_ready();
  EXPECT_EQ(started.size(), 1u);
  if (started.empty()) return -1;
  EXPECT_EQ(started[0].first_rank, rank) << "visit " << started[0].task.visit;
  if (!stay) d.finished(started[0].id);
  return started[0].id;
}

TEST(Dispatch, VisitsOfACaseTakeAllBlocksInTurn) {
  const Machine machine{.ranks = 3, .ranks_per_node = 3};
  std::vector<Task> tasks;
  for (std::int64_t visit = 0; visit < 6; ++visit) tasks.push_back(task(0, 1, Isolation::none, visit));
  Dispatcher alone(machine, tasks);
  for (const std::int64_t rank : {0, 1, 2, 0, 1, 2}) start_on(alone, rank);

  Dispatcher crowded(machine, {});
  const auto requeue = [&](const Task& t) { crowded.requeue(t); };
  requeue(task(9, 1));
  const std::int64_t hog = start_on(crowded, 0, true);
  requeue(tasks[0]);
  start_on(crowded, 1);  // rank 0 is busy
  requeue(tasks[1]);
  start_on(crowded, 2);  // its turn is rank 1, but it was there
  requeue(tasks[2]);
  start_on(crowded, 2);  // of those that are free it has had all
  crowded.finished(hog);
  requeue(tasks[3]);
  start_on(crowded, 0);  // now it has had them all, and begins anew
  requeue(task(8, 1, Isolation::none, 1));
  start_on(crowded, 1, true);
  requeue(tasks[4]);
  start_on(crowded, 2);
  requeue(tasks[5]);
  start_on(crowded, 0);
}

TEST(Dispatch, ADispatcherThatTakesOverGoesOnWithTheTurn) {
  // after a resume nobody remembers where visit 0 was; visit 1 is on the second block all the same
  Dispatcher d({.ranks = 2, .ranks_per_node = 2}, {task(0, 1, Isolation::none, 1)});
  start_on(d, 1);
}

TEST(Dispatch, SoloLeavesTheMachineToOne) {
  Dispatcher d({.ranks = 4, .ranks_per_node = 1}, {task(0, 1), task(1, 1)}, Placement::solo);
  EXPECT_EQ(cases_of(d.start_ready()), Cases{0});
  EXPECT_TRUE(d.start_ready().empty());
  d.finished(d.running()[0].id);
  EXPECT_EQ(cases_of(d.start_ready()), Cases{1});
}

TEST(Dispatch, ReplicatedTakesAllBlocksOfAWidthAtOnce) {
  Dispatcher d({.ranks = 5, .ranks_per_node = 5}, {task(0, 2), task(1, 1)}, Placement::replicated);
  const auto started = d.start_ready();
  EXPECT_EQ(cases_of(started), (Cases{0, 0}));  // ranks 0-1 and 2-3; rank 4 sleeps
  EXPECT_EQ(started[1].first_rank, 2);
  EXPECT_EQ(started[1].task.visit, started[0].task.visit);
  EXPECT_EQ(started[0].neighbours, Cases{0});
  d.finished(started[0].id);
  EXPECT_TRUE(d.start_ready().empty()) << "not before the last replica has ended";
  d.finished(started[1].id);
  EXPECT_EQ(d.start_ready().size(), 5u);
}

TEST(Dispatch, BlocksFollowTheNodesAlsoWhenARankIsLost) {
  // two nodes of four, the second rank of the first node died: widths 2 and 4 still find whole nodes
  const Machine machine{.ranks = 7, .ranks_per_node = 4, .rank_nodes = {0, 0, 0, 1, 1, 1, 1}};
  EXPECT_EQ(block_starts(4, machine), Cases{3});
  EXPECT_EQ(block_starts(2, machine), (Cases{0, 3, 5}));
  EXPECT_EQ(block_starts(7, machine), Cases{0});
  EXPECT_EQ(block_starts(4, {.ranks = 12, .ranks_per_node = 6}), (Cases{0, 6}));
  EXPECT_EQ(block_starts(4, {.ranks = 6, .ranks_per_node = 2}),
            Cases{0});  // no node holds it: cut from rank 0
}

TEST(Dispatch, WhatIsTooWideIsHandedBackFirst) {
  std::vector<Task> tasks{task(0, 1), task(1, 5), task(2, 4)};
  EXPECT_THROW(Dispatcher({.ranks = 4, .ranks_per_node = 4}, tasks), Error);
  const auto wide = take_too_wide(tasks, {.ranks = 4, .ranks_per_node = 4});
  ASSERT_EQ(wide.size(), 1u);
  EXPECT_EQ(wide[0].case_index, 1);
  EXPECT_EQ(tasks.size(), 2u);
}

TEST(Dispatch, AnUnknownAssignmentCannotEnd) {
  Dispatcher d({.ranks = 1}, {task(0, 1)});
  EXPECT_THROW(d.finished(0), Error);
  d.start_ready();
  d.finished(0);
  EXPECT_THROW(d.finished(0), Error);
}

TEST(Dispatch, AHundredThousandTasksOnFiveHundredRanksPassQuickly) {
  // 512 ranks in nodes of eight: what a large run asks for; the test's time limit is the judge
  const Machine machine{.ranks = 512, .ranks_per_node = 8};
  const auto tasks = tasks_from({.cases = 20'000, .visits = 5, .widest = 16, .isolated = 30, .seed = 5});
  Dispatcher d(machine, tasks);
  EXPECT_EQ(drive(d, [](const Assignment& a) { return a.task.estimate_s; }).size(), 100'000u);
  EXPECT_TRUE(d.done());
}

}  // namespace
}  // namespace bench::scaling
