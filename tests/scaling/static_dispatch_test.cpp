// SPDX-License-Identifier: Apache-2.0
#include "scaling/static_dispatch.hpp"

#include <gtest/gtest.h>

#include "tests/scaling/schedules.hpp"

namespace bench::scaling {
namespace {

using testing::any_time;
using testing::broken_laws;
using testing::drive;
using testing::Stay;
using testing::tasks_from;
using testing::worlds;

using Laws = std::vector<std::string>;

/// Who came after whom on each rank and within each case; and for each isolated visit, who was on its nodes
/// before it.
std::map<std::string, std::vector<std::string>> order_on_resources(std::vector<Stay> stays,
                                                                   const Machine& machine) {
  std::ranges::stable_sort(stays, {}, &Stay::start_s);
  std::map<std::string, std::vector<std::string>> order;
  for (const Stay& s : stays) {
    const std::string name = concat(s.task.case_index, '/', s.task.visit);
    for (std::int64_t r = s.first; r < s.first + s.width; ++r) order[concat("rank ", r)].push_back(name);
    order[concat("case ", s.task.case_index)].push_back(name);
    if (s.task.isolation != Isolation::node) continue;
    auto& before = order["before " + name];
    for (const Stay& other : stays)
      if (other.start_s < s.start_s && share_a_node(s, other, machine))
        before.push_back(concat(other.task.case_index, '/', other.task.visit));
    std::ranges::sort(before);
  }
  return order;
}

TEST(StaticDispatch, FollowsTheScheduleWhateverTheDurations) {
  for (const Machine& machine : worlds())
    for (const int isolated : {0, 40}) {
      SCOPED_TRACE(
          concat(machine.ranks, " ranks, ", machine.ranks_per_node, " a node, isolated ", isolated, " %"));
      const auto tasks =
          tasks_from({.cases = 13, .visits = 2, .widest = machine.ranks, .isolated = isolated});
      const Schedule schedule = simulate(tasks, machine);
      std::vector<Stay> planned;
      for (const Slot& s : schedule.slots)
        planned.push_back(
            {s.assignment.task, s.assignment.first_rank, s.assignment.width, s.start_s, s.end_s});
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        StaticDispatcher dispatcher(machine, schedule);
        const auto stays = drive(dispatcher, any_time(seed));
        EXPECT_TRUE(dispatcher.done());
        EXPECT_EQ(broken_laws(stays, tasks, machine), Laws{});
        EXPECT_EQ(order_on_resources(stays, machine), order_on_resources(planned, machine));
      }
    }
}

TEST(StaticDispatch, OnTheEstimatedTimesItIsTheSchedule) {
  const Machine machine{.ranks = 8, .ranks_per_node = 4};
  const auto tasks = tasks_from({.cases = 20, .visits = 3, .widest = 8, .isolated = 30});
  const Schedule schedule = simulate(tasks, machine);
  StaticDispatcher dispatcher(machine, schedule);
  const Schedule again = simulate(dispatcher, [](const Assignment& a) { return a.task.estimate_s; });
  EXPECT_DOUBLE_EQ(again.makespan_s, schedule.makespan_s);
}

TEST(StaticDispatch, IsolatedVisitsKeepTheirOrderOnANode) {
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  const auto on = [](std::int64_t c, double estimate_s, Isolation isolation) {
    return Task{.case_index = c, .estimate_s = estimate_s, .ranks = 1, .isolation = isolation};
  };
  const std::vector<Task> tasks{on(0, 1, Isolation::none), on(1, 2, Isolation::none),
                                on(2, 1, Isolation::node), on(3, 1, Isolation::none)};
  StaticDispatcher d(machine, simulate(tasks, machine));  // 0 beside 1, then 3 on the rank of 0, then 2
  auto started = d.start_ready();
  ASSERT_EQ(started.size(), 2u);
  d.finished(started[1].id);
  EXPECT_TRUE(d.start_ready().empty()) << "3 waits for 0, 2 waits for all";
  d.finished(started[0].id);
  started = d.start_ready();
  ASSERT_EQ(started.size(), 1u);
  EXPECT_EQ(started[0].task.case_index, 3);
  d.finished(started[0].id);
  EXPECT_EQ(d.start_ready().at(0).task.case_index, 2);
}

TEST(StaticDispatch, RetriesComeLastOneByOne) {
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  auto tasks = tasks_from({.cases = 3, .visits = 1, .widest = 1});
  RunSettings run;
  run.schedule = "static";
  const auto d = make_dispatcher(run, machine, tasks);
  ASSERT_NE(dynamic_cast<StaticDispatcher*>(d.get()), nullptr);
  auto started = d->start_ready();
  for (const Assignment& a : started) {
    d->finished(a.id);
    Task again = a.task;
    again.attempt = 2;
    d->requeue(again);
  }
  EXPECT_EQ(d->waiting(), 3u);
  for (const int attempt : {1, 2, 2}) {
    started = d->start_ready();
    ASSERT_EQ(started.size(), 1u);
    EXPECT_EQ(started[0].task.attempt, attempt);
    d->finished(started[0].id);
  }
  EXPECT_TRUE(d->done());
}

TEST(StaticDispatch, ReplicasStartTogetherAndOneTaskAtATime) {
  RunSettings run;
  run.schedule = "static";
  run.placement = "replicated";
  const auto d = make_dispatcher(run, {.ranks = 4, .ranks_per_node = 4},
                                 tasks_from({.cases = 2, .visits = 2, .widest = 1}));
  for (int i = 0; i < 4; ++i) {
    const auto started = d->start_ready();
    ASSERT_EQ(started.size(), 4u);
    for (const Assignment& a : started) EXPECT_EQ(a.task.case_index, started[0].task.case_index);
    d->finished(started[2].id);
    EXPECT_TRUE(d->start_ready().empty());
    for (const std::size_t k : {0u, 1u, 3u}) d->finished(started[k].id);
  }
  EXPECT_TRUE(d->done());
}

}  // namespace
}  // namespace bench::scaling
