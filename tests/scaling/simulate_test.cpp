// SPDX-License-Identifier: Apache-2.0
#include "scaling/simulate.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "scaling/forecast.hpp"
#include "tests/scaling/schedules.hpp"

namespace bench::scaling {
namespace {

using testing::broken_laws;
using testing::Stay;
using testing::tasks_from;

const Machine kEight{.ranks = 8, .ranks_per_node = 8};

std::vector<Stay> stays_of(const Schedule& schedule) {
  std::vector<Stay> stays;
  for (const Slot& s : schedule.slots)
    stays.push_back({s.assignment.task, s.assignment.first_rank, s.assignment.width, s.start_s, s.end_s});
  return stays;
}

/// The plan worked by hand, width x time: 2 of 8x10, 3 of 4x8, 5 of 2x6, 14 of 1x3, one of 1x20.
std::vector<Task> fixed_plan(Isolation isolation = Isolation::none) {
  struct Kind {
    int count;
    std::int64_t width;
    double time_s;
  };
  std::vector<Task> tasks;
  for (const Kind& kind : {Kind{2, 8, 10}, Kind{3, 4, 8}, Kind{5, 2, 6}, Kind{14, 1, 3}, Kind{1, 1, 20}})
    for (int i = 0; i < kind.count; ++i)
      tasks.push_back({.case_index = static_cast<std::int64_t>(tasks.size()),
                       .estimate_s = kind.time_s,
                       .ranks = kind.width,
                       .isolation = isolation});
  return tasks;
}

std::vector<Task> longest_first(std::vector<Task> tasks) {
  std::ranges::stable_sort(tasks, [](const Task& a, const Task& b) {
    return std::pair{a.estimate_s, a.ranks} > std::pair{b.estimate_s, b.ranks};
  });
  return tasks;
}

std::vector<Task> widest_first(std::vector<Task> tasks) {
  std::ranges::stable_sort(tasks, [](const Task& a, const Task& b) {
    return std::pair{a.ranks, a.estimate_s} > std::pair{b.ranks, b.estimate_s};
  });
  return tasks;
}

TEST(Simulate, TheFixedPlanTakesWhatWasWorkedOutByHand) {
  const Schedule longest = simulate(longest_first(fixed_plan()), kEight);
  EXPECT_DOUBLE_EQ(longest.lower_bound_s, 47.25);  // (160 + 96 + 60 + 42 + 20) / 8
  EXPECT_DOUBLE_EQ(longest.makespan_s, 50.0);
  EXPECT_LE(longest.ratio(), 1.10);
  EXPECT_DOUBLE_EQ(simulate(widest_first(fixed_plan()), kEight).makespan_s, 56.0);
  EXPECT_DOUBLE_EQ(simulate(fixed_plan(), kEight, {}, Placement::solo).makespan_s, 136.0);  // one by one
}

TEST(Simulate, OnOneIsolatedNodeTheFixedPlanIsSerial) {
  const Schedule schedule = simulate(longest_first(fixed_plan(Isolation::node)), kEight);
  EXPECT_DOUBLE_EQ(schedule.makespan_s, 136.0);
  EXPECT_DOUBLE_EQ(schedule.lower_bound_s, 136.0) << "the bound knows that no schedule can do better";
  // two nodes of four: all but the widest keep one node: 20 + (24 + 30 + 42 + 20) / 2
  const Machine nodes{.ranks = 8, .ranks_per_node = 4};
  EXPECT_DOUBLE_EQ(lower_bound_s(fixed_plan(Isolation::node), nodes), 78.0);
}

TEST(Simulate, BoundsByHand) {
  const auto of = [](std::int64_t c, std::int64_t ranks, double time_s) {
    return Task{.case_index = c, .estimate_s = time_s, .ranks = ranks, .isolation = Isolation::none};
  };
  EXPECT_DOUBLE_EQ(lower_bound_s({}, kEight), 0.0);
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 1, 8), of(1, 8, 1)}, kEight), 9.0)
      << "nothing runs beside a case on all ranks";
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 1, 5), of(0, 1, 5)}, kEight), 10.0)
      << "a case never runs beside itself";
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 5, 2), of(1, 5, 3), of(2, 1, 1)}, kEight),
                   6.0);  // 5 of 8 take the world
  // six ranks hold one block of four
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 4, 2), of(1, 3, 3)}, {.ranks = 6, .ranks_per_node = 6}), 5.0);
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 1, 2), of(1, 1, 3)}, kEight, {}, Placement::replicated), 5.0);
  EXPECT_DOUBLE_EQ(lower_bound_s({of(0, 1, 2), of(1, 1, 3)}, kEight, std::vector{7.0, 1.0}), 7.0)
      << "real times";
}

TEST(Simulate, NothingToDoTakesNoTime) {
  const Schedule schedule = simulate({}, kEight);
  EXPECT_EQ(schedule.makespan_s, 0.0);
  EXPECT_EQ(schedule.ratio(), 1.0);
}

TEST(Simulate, NoScheduleBeatsTheLowerBound) {
  // uneven nodes as after a lost rank; a world that is no power of two; isolation of none, some and all cases
  const std::vector<Machine> machines{kEight,
                                      {.ranks = 8, .ranks_per_node = 2},
                                      {.ranks = 6, .ranks_per_node = 3},
                                      {.ranks = 7, .ranks_per_node = 4, .rank_nodes = {0, 0, 0, 1, 1, 1, 1}},
                                      {.ranks = 1}};
  for (const Machine& machine : machines)
    for (const int isolated : {0, 40, 100})
      for (const Placement placement : {Placement::packed, Placement::solo, Placement::replicated})
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
          SCOPED_TRACE(concat(machine.ranks, " ranks, isolated ", isolated, " %, seed ", seed));
          const auto tasks = tasks_from(
              {.cases = 15, .visits = 2, .widest = machine.ranks, .isolated = isolated, .seed = seed});
          const Schedule schedule = simulate(tasks, machine, {}, placement);
          EXPECT_GE(schedule.makespan_s, schedule.lower_bound_s * (1 - 1e-12));
          if (placement == Placement::packed) {
            EXPECT_EQ(broken_laws(stays_of(schedule), tasks, machine), std::vector<std::string>{});
          }
        }
}

// Random plans. `sweep`: 40 problems, each on 1, 2, 4 ... N ranks, time lognormal(1) of the problem over
// w^0.8: a strong-scaling study. `skew`: as many cases, width w with probability ~ 1/w, time lognormal(1.5):
// few cases hold most of the work. Estimates are off by a lognormal factor of sigma 0.7.
struct Row {
  std::int64_t ranks;
  bool skew;
};

struct RandomPlan {
  std::vector<Task> tasks;
  std::vector<double> times_s;
};

std::vector<std::int64_t> widths_of(std::int64_t ranks) {
  std::vector<std::int64_t> widths;
  for (std::int64_t w = 1; w <= ranks; w *= 2) widths.push_back(w);
  return widths;
}

std::int64_t skewed_width(const std::vector<std::int64_t>& widths, double uniform) {
  double all = 0.0, sum = 0.0;
  for (const std::int64_t w : widths) all += 1.0 / static_cast<double>(w);
  for (const std::int64_t w : widths)
    if ((sum += 1.0 / static_cast<double>(w)) > uniform * all) return w;
  return widths.back();
}

RandomPlan random_plan(const Row& row, std::uint64_t seed) {
  constexpr std::uint64_t kProblems = 40;
  const CounterRng times(seed, "times"), widths(seed, "widths"), errors(seed, "estimate errors");
  const auto all = widths_of(row.ranks);
  std::vector<std::pair<Task, double>> list;
  for (std::uint64_t i = 0; i < kProblems * all.size(); ++i) {
    const std::int64_t width = row.skew ? skewed_width(all, widths.uniform(i)) : all[i % all.size()];
    const double time_s =
        row.skew ? std::exp(1.5 * times.normal(i))
                 : std::exp(times.normal(i / all.size())) * std::pow(static_cast<double>(width), -0.8);
    list.push_back({{.case_index = static_cast<std::int64_t>(i),
                     .estimate_s = time_s * std::exp(0.7 * errors.normal(i)),
                     .ranks = width,
                     .isolation = Isolation::none},
                    time_s});
  }
  std::ranges::stable_sort(
      list, [](const auto& a, const auto& b) { return a.first.estimate_s > b.first.estimate_s; });
  RandomPlan plan;
  for (const auto& [task, time_s] : list) {
    plan.tasks.push_back(task);
    plan.times_s.push_back(time_s);
  }
  return plan;
}

/// The bound of the published figures: it does not know that nothing runs beside a case on all ranks.
double simple_bound_s(const RandomPlan& plan, std::int64_t ranks) {
  double area = 0.0, longest = 0.0, wide = 0.0;
  for (std::size_t i = 0; i < plan.tasks.size(); ++i) {
    const auto width = plan.tasks[i].ranks;
    area += static_cast<double>(width) * plan.times_s[i] / static_cast<double>(ranks);
    longest = std::max(longest, plan.times_s[i]);
    if (2 * width > ranks) wide += plan.times_s[i];
  }
  return std::max({area, longest, wide});
}

class RandomPlans : public ::testing::TestWithParam<Row> {};

TEST_P(RandomPlans, StayWithinATenthOfTheLowerBoundAlthoughTheEstimatesAreWrong) {
  constexpr std::uint64_t kPlans = 20;
  const Row row = GetParam();
  const Machine machine{.ranks = row.ranks, .ranks_per_node = 8};
  double mean = 0.0, simple = 0.0, solo = 0.0;
  for (std::uint64_t seed = 1; seed <= kPlans; ++seed) {
    const RandomPlan plan = random_plan(row, seed);
    const Schedule schedule = simulate(plan.tasks, machine, plan.times_s);
    mean += schedule.ratio() / kPlans;
    simple += schedule.makespan_s / simple_bound_s(plan, row.ranks) / kPlans;
    solo += simulate(plan.tasks, machine, plan.times_s, Placement::solo).makespan_s / schedule.makespan_s /
            kPlans;
  }
  RecordProperty("mean_ratio", std::to_string(mean));
  RecordProperty("mean_ratio_simple_bound", std::to_string(simple));
  EXPECT_LE(mean, 1.10);
  EXPECT_LE(simple,
            row.ranks < 64 ? 1.10 : 1.20);  // 1.20: of the published N = 64 row, its bound being loose there
  EXPECT_GE(solo, 2.0) << "packing must be worth its trouble";
}

INSTANTIATE_TEST_SUITE_P(Rows, RandomPlans,
                         ::testing::Values(Row{8, false}, Row{8, true}, Row{16, false}, Row{64, true}),
                         [](const auto& instance) {
                           return concat("N", instance.param.ranks, instance.param.skew ? "Skew" : "Sweep");
                         });

Plan plan_of(std::vector<Case> cases, const Machine& machine) {
  Study study;
  study.run.visits = 2;
  return make_plan(study, std::move(cases), machine);
}

std::vector<Case> some_cases(Isolation isolation) {
  std::vector<Case> cases;
  for (std::int64_t i = 0; i < 12; ++i) {
    Case c;
    c.id = concat("case", i);
    c.ranks = 1 + i % 2;
    c.isolation = isolation;
    c.estimate_s = 1e-3 * static_cast<double>(1 + i % 5);
    cases.push_back(c);
  }
  return cases;
}

TEST(Tasks, AutoIsLongestWhereVisitsCanRunSideBySide) {
  const Machine one{.ranks = 4, .ranks_per_node = 4}, two{.ranks = 4, .ranks_per_node = 2};
  EXPECT_EQ(order_policy(plan_of(some_cases(Isolation::node), one)), "shuffle");
  EXPECT_EQ(order_policy(plan_of(some_cases(Isolation::node), two)), "longest");
  EXPECT_EQ(order_policy(plan_of(some_cases(Isolation::none), one)), "longest");
  auto cases = some_cases(Isolation::node);
  cases[0].isolation = Isolation::none;
  cases[0].planned = Outcome::skipped;
  EXPECT_EQ(order_policy(plan_of(cases, one)), "shuffle") << "a case that is not measured does not count";
}

TEST(Tasks, RoundsThenLongestThenWidest) {
  const auto tasks = make_tasks(plan_of(some_cases(Isolation::none), {.ranks = 4, .ranks_per_node = 4}));
  ASSERT_EQ(tasks.size(), 24u);
  const auto key = [](const Task& t) { return std::tuple{t.visit, -t.estimate_s, -t.ranks}; };
  EXPECT_TRUE(std::ranges::is_sorted(tasks, {}, key));
  EXPECT_EQ(tasks.front().visit, 0);
  EXPECT_EQ(tasks.back().visit, 1);
}

TEST(Forecast, SaysWhatIsolationCosts) {
  const Machine machine{.ranks = 4, .ranks_per_node = 4};
  const auto levels = forecast_isolation(plan_of(some_cases(Isolation::node), machine));
  ASSERT_EQ(levels.size(), 3u);
  EXPECT_EQ(levels[0].level, "as planned");
  EXPECT_DOUBLE_EQ(levels[0].schedule.makespan_s, levels[1].schedule.makespan_s)
      << "one node: isolated anyway";
  EXPECT_LT(levels[2].schedule.makespan_s, 0.5 * levels[1].schedule.makespan_s);
  EXPECT_DOUBLE_EQ(levels[1].schedule.ratio(), 1.0);
}

}  // namespace
}  // namespace bench::scaling
