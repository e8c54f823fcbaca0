// SPDX-License-Identifier: Apache-2.0
#include "scaling/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "scaling/blocks.hpp"
#include "scaling/forecast.hpp"
#include "scaling/order.hpp"
#include "scaling/tasks.hpp"
#include "tests/scaling/schedules.hpp"

namespace bench::scaling {
namespace {

using testing::broken_laws;
using testing::Stay;

using Laws = std::vector<std::string>;

/// A study without sweeps: make_plan looks at its settings only.
Study settings(std::int64_t visits, const std::string& order = "shuffle", std::int64_t seed = 42) {
  Study study;
  study.run.visits = visits;
  study.run.order = order;
  study.run.seed = seed;
  return study;
}

Case make_case(std::size_t number, std::int64_t ranks, Isolation isolation = Isolation::none) {
  Case c;
  c.id = concat("case", number);
  c.op = "toy";
  c.ranks = ranks;
  c.isolation = isolation;
  c.params = {{"seq", static_cast<std::int64_t>(number / 3)}, {"ranks", ranks}};  // three cases to a problem
  c.estimate_s = 1e-3 * static_cast<double>(number + 1);
  return c;
}

/// Cases of any widths from 1 to most, mixed by a fixed generator.
std::vector<Case> mixed_cases(std::size_t count, std::int64_t most, Isolation isolation) {
  const CounterRng rng(11, "widths");
  std::vector<Case> cases;
  for (std::size_t i = 0; i < count; ++i)
    cases.push_back(
        make_case(i, 1 + static_cast<std::int64_t>(rng.uniform(i) * static_cast<double>(most)), isolation));
  return cases;
}

/// The cases in the order in which the plan prefers their visits.
std::vector<std::int64_t> preferred(const Plan& plan) {
  std::vector<std::int64_t> order;
  for (const Task& task : make_tasks(plan)) order.push_back(task.case_index);
  return order;
}

/// The visits that the settings ask for: each runnable case in each round.
std::vector<Task> wanted(const std::vector<Case>& cases, std::int64_t visits) {
  std::vector<Task> tasks;
  for (std::int64_t visit = 0; visit < visits; ++visit)
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (cases[i].planned == Outcome::ok)
        tasks.push_back(
            {.case_index = static_cast<std::int64_t>(i), .visit = visit, .ranks = cases[i].ranks});
  return tasks;
}

/// The forecast of the plan as the judge of schedules wants it.
std::vector<Stay> stays(const Plan& plan) {
  std::vector<Stay> list;
  for (const Slot& slot : forecast(plan).slots)
    list.push_back(
        {slot.assignment.task, slot.assignment.first_rank, slot.assignment.width, slot.start_s, slot.end_s});
  return list;
}

TEST(Blocks, WidthsArePowersOfTwoOrTheWorld) {
  const Machine six{.ranks = 6, .ranks_per_node = 6};
  EXPECT_EQ(block_width(1, six), 1);
  EXPECT_EQ(block_width(3, six), 4);
  EXPECT_EQ(block_width(4, six), 4);
  EXPECT_EQ(block_width(5, six), 6);  // 8 does not fit: the whole world
  EXPECT_EQ(block_starts(4, six), std::vector<std::int64_t>{0});
  EXPECT_EQ(block_starts(2, six), (std::vector<std::int64_t>{0, 2, 4}));
}

TEST(Blocks, NoneStraddlesNodesWhereANodeHoldsIt) {
  const Machine two_by_six{.ranks = 12, .ranks_per_node = 6};
  EXPECT_EQ(block_starts(4, two_by_six), (std::vector<std::int64_t>{0, 6}));  // [4, 8) lies on both nodes
  EXPECT_EQ(block_starts(8, two_by_six), (std::vector<std::int64_t>{0}));     // cannot lie on one
}

TEST(Plan, EveryVisitHappensOnceOnAnyWorldAndMixOfWidths) {
  for (std::int64_t np = 1; np <= 9; ++np)
    for (const std::int64_t per_node : {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, np})
      for (const Isolation isolation : {Isolation::node, Isolation::none})
        for (const std::int64_t most : {std::int64_t{1}, (np + 1) / 2, np}) {
          const Machine machine{.ranks = np, .ranks_per_node = per_node};
          SCOPED_TRACE(concat("np ", np, ", per node ", per_node, ", widest ", most, ", isolation ",
                              static_cast<int>(isolation)));
          const auto cases = mixed_cases(23, most, isolation);  // 23: shares no factor with np
          EXPECT_EQ(broken_laws(stays(make_plan(settings(2), cases, machine)), wanted(cases, 2), machine),
                    Laws{});
        }
}

TEST(Plan, MixedIsolationIsKept) {
  const Machine machine{.ranks = 8, .ranks_per_node = 2};
  auto cases = mixed_cases(40, 4, Isolation::none);
  for (std::size_t i = 0; i < cases.size(); i += 2) cases[i].isolation = Isolation::node;
  EXPECT_EQ(broken_laws(stays(make_plan(settings(3), cases, machine)), wanted(cases, 3), machine), Laws{});
}

TEST(Plan, MoreRanksThanCasesStartTogether) {
  const Machine machine{.ranks = 64, .ranks_per_node = 8};
  const auto list = stays(make_plan(settings(1), mixed_cases(3, 1, Isolation::none), machine));
  ASSERT_EQ(list.size(), 3u);
  for (const Stay& stay : list) EXPECT_EQ(stay.start_s, 0.0);
}

/// How many of the visits run while the first one does.
std::size_t started_at_once(const Plan& plan) {
  return static_cast<std::size_t>(std::ranges::count(stays(plan), 0.0, &Stay::start_s));
}

TEST(Plan, OnOneNodeIsolatedVisitsRunOneByOne) {
  const Machine machine{.ranks = 4, .ranks_per_node = 4}, nodes{.ranks = 4, .ranks_per_node = 1};
  EXPECT_EQ(started_at_once(make_plan(settings(2), mixed_cases(10, 1, Isolation::node), machine)), 1u);
  EXPECT_EQ(started_at_once(make_plan(settings(2), mixed_cases(10, 1, Isolation::none), machine)), 4u);
  EXPECT_EQ(started_at_once(make_plan(settings(2), mixed_cases(10, 1, Isolation::node), nodes)), 4u);
}

TEST(Plan, VisitsOfACaseComeInRoundsAndWanderOverTheBlocks) {
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  std::vector<std::int64_t> rounds;
  for (const Stay& stay : stays(make_plan(settings(4), mixed_cases(5, 1, Isolation::node), machine))) {
    rounds.push_back(stay.task.visit);
    EXPECT_EQ(stay.first, stay.task.visit % 2);
  }
  EXPECT_EQ(rounds.size(), 20u);
  EXPECT_TRUE(std::ranges::is_sorted(rounds));
}

TEST(Plan, CasesThatCannotRunAreKeptButNotVisited) {
  auto cases = mixed_cases(6, 1, Isolation::node);
  cases[2].planned = Outcome::infeasible;
  cases[2].ranks = 100;  // wider than the world
  cases[4].planned = Outcome::skipped;
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  const Plan plan = make_plan(settings(1), cases, machine);
  EXPECT_EQ(plan.cases.size(), 6u);
  auto visited = preferred(plan);
  std::ranges::sort(visited);
  EXPECT_EQ(visited, (std::vector<std::int64_t>{0, 1, 3, 5}));
  EXPECT_EQ(broken_laws(stays(plan), wanted(cases, 1), machine), Laws{});
}

TEST(Plan, TheSameSeedGivesTheSamePlanAndAnotherSeedAnother) {
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  const auto cases = mixed_cases(30, 2, Isolation::node);
  const Plan a = make_plan(settings(2), cases, machine), b = make_plan(settings(2), cases, machine);
  EXPECT_EQ(preferred(a), preferred(b));
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_EQ(a.sha256.size(), 64u);
  const Plan other = make_plan(settings(2, "shuffle", 43), cases, machine);
  EXPECT_NE(preferred(a), preferred(other));
  EXPECT_NE(a.sha256, other.sha256);
  Study slower = settings(2);
  slower.run.budget = 3.0;
  EXPECT_NE(make_plan(slower, cases, machine).sha256, a.sha256);
}

TEST(Plan, TheShuffleIsPinned) {
  // Worked out once; a change of it would make every stored plan unresumable.
  EXPECT_EQ(permutation(8, 42, "pinned"), (std::vector<std::size_t>{4, 3, 1, 7, 0, 5, 6, 2}));
}

TEST(Plan, GivenKeepsTheStudysOrder) {
  const Machine machine{.ranks = 1};
  std::vector<std::int64_t> expected(12);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(preferred(make_plan(settings(1, "given"), mixed_cases(12, 1, Isolation::node), machine)),
            expected);
}

TEST(Plan, ShufflingKeepsRivalsTogetherAndDrawsAnewEachRound) {
  const Machine machine{.ranks = 1};
  const auto cases = mixed_cases(30, 1, Isolation::node);  // three to a problem
  const auto order = preferred(make_plan(settings(2), cases, machine));
  std::vector<std::int64_t> problems;
  for (std::size_t i = 0; i < order.size(); i += 3) {
    EXPECT_EQ(order[i] / 3, order[i + 1] / 3);
    EXPECT_EQ(order[i] / 3, order[i + 2] / 3);
    problems.push_back(order[i] / 3);
  }
  EXPECT_NE(std::vector(problems.begin(), problems.begin() + 10),
            std::vector(problems.begin() + 10, problems.end()));
  EXPECT_FALSE(std::ranges::is_sorted(problems.begin(), problems.begin() + 10));
}

TEST(Plan, EveryPositionIsEquallyLikely) {
  // 3! orders, 6000 draws: 1000 expected each, standard deviation 29; 5 of them is 145
  std::map<std::vector<std::size_t>, int> seen;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) ++seen[permutation(3, seed, "fair")];
  EXPECT_EQ(seen.size(), 6u);
  for (const auto& [order, count] : seen) EXPECT_NEAR(count, 1000, 145);
}

TEST(Plan, TheDurationCountsTheLongestVisitOfThoseSideBySide) {
  Study study = settings(1, "given");
  study.run.warmup = 1;
  study.run.min_samples = study.run.max_samples = 10;
  study.run.min_time = 0.0;
  study.run.budget = 100.0;
  std::vector<Case> cases{make_case(0, 1), make_case(1, 1), make_case(2, 2)};
  cases[0].estimate_s = 1.0;
  cases[1].estimate_s = 2.0;
  cases[2].estimate_s = 3.0;
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  // 0 beside 1, then 2: check and warm-up call and 10 samples = 12 calls of the longest, and the overhead
  // of 0.2 s each
  EXPECT_NEAR(forecast(make_plan(study, cases, machine)).makespan_s, 12 * 2.0 + 12 * 3.0 + 0.4, 1e-9);
}

TEST(Plan, ManyCasesOnManyNodesArePacked) {
  // a plan nobody should have to wait for: 128 nodes of eight, most cases narrower than a node
  const Machine machine{.ranks = 1024, .ranks_per_node = 8};
  const Schedule schedule =
      forecast(make_plan(settings(1), mixed_cases(20'000, 64, Isolation::node), machine));
  EXPECT_EQ(schedule.slots.size(), 20'000u);
  EXPECT_LE(schedule.ratio(), 1.10);
}

TEST(Plan, IsolationOfTheRunOverrulesTheCases) {
  const Machine machine{.ranks = 2, .ranks_per_node = 2};
  Study study = settings(1);
  for (const auto& [level, expected, other] :
       {std::tuple{"node", Isolation::node, Isolation::none}, {"none", Isolation::none, Isolation::node}}) {
    study.run.isolation = level;
    for (const Case& c : make_plan(study, mixed_cases(3, 1, other), machine).cases)
      EXPECT_EQ(c.isolation, expected);
  }
  study.run.isolation = "auto";
  EXPECT_EQ(make_plan(study, mixed_cases(3, 1, Isolation::none), machine).cases[0].isolation,
            Isolation::none);
}

TEST(Plan, RanksThatShareACoreAreOversubscribed) {
  Case c = make_case(0, 1);  // one rank: the others sleep, but each has its own cores
  EXPECT_TRUE(is_oversubscribed(c, {.ranks = 4, .ranks_per_node = 4, .cores_per_node = 2}));
  EXPECT_FALSE(is_oversubscribed(c, {.ranks = 4, .ranks_per_node = 2, .cores_per_node = 2}));
  c.threads = 2;
  EXPECT_TRUE(is_oversubscribed(c, {.ranks = 4, .ranks_per_node = 2, .cores_per_node = 2}));
  EXPECT_FALSE(is_oversubscribed(c, {.ranks = 4, .ranks_per_node = 4, .cores_per_node = 0}));  // unknown
}

}  // namespace
}  // namespace bench::scaling
