// SPDX-License-Identifier: Apache-2.0
// What must hold whatever the world, the mix of widths, the durations and the failures are; and that the
// judge who says so sees wrong schedules for what they are.
#include <gtest/gtest.h>

#include "scaling/dispatch.hpp"
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

TEST(DispatchLaws, HoldOnAnyWorldWithAnyMixAndAnyDurations) {
  for (const Machine& machine : worlds())
    for (const int isolated : {0, 30, 100})
      for (const std::int64_t widest : {std::int64_t{1}, (machine.ranks + 1) / 2, machine.ranks}) {
        SCOPED_TRACE(concat(machine.ranks, " ranks, ", machine.ranks_per_node, " a node, widest ", widest,
                            ", isolated ", isolated, " %"));
        const auto tasks = tasks_from({.cases = 17, .visits = 3, .widest = widest, .isolated = isolated});
        Dispatcher dispatcher(machine, tasks);
        EXPECT_EQ(broken_laws(drive(dispatcher, any_time(7)), tasks, machine), Laws{});
        EXPECT_TRUE(dispatcher.done());
      }
}

/// A run in which visits fail and ranks die, as a coordinator would lead it: what was on a lost rank is tried
/// again, and after a loss a new dispatcher takes what is left.
class FaultyRun {
 public:
  FaultyRun(std::int64_t ranks, std::vector<Task> tasks, std::uint64_t seed)
      : machine_{.ranks = ranks, .ranks_per_node = ranks}, waiting_(std::move(tasks)), rng_(seed, "faults") {}

  /// How often each (case, visit) was measured to its end; broken laws of each stretch between two losses.
  std::map<std::pair<std::int64_t, std::int64_t>, int> done;
  Laws broken;
  int too_wide = 0;

  void run() {
    while (!waiting_.empty() && machine_.ranks > 0) {
      too_wide += static_cast<int>(take_too_wide(waiting_, machine_).size());
      stretch();
    }
  }

 private:
  bool chance(double p) { return rng_.uniform(draws_++) < p; }

  void stretch() {
    Dispatcher dispatcher(machine_, waiting_);
    std::multimap<double, Stay> ends;  // end: who; the id is found in running()
    std::vector<Stay> stays;
    double now_s = 0.0;
    for (;;) {
      for (const Assignment& a : dispatcher.start_ready())
        ends.insert({now_s + 0.5 + rng_.uniform(draws_++), {a.task, a.first_rank, a.width, now_s, 1e9}});
      if (ends.empty()) break;
      Stay stay = ends.begin()->second;
      now_s = stay.end_s = ends.begin()->first;
      ends.erase(ends.begin());
      stays.push_back(stay);
      if (chance(0.03)) {  // a rank dies: what runs is lost
        for (const auto& [end_s, lost] : ends) stays.push_back(lost);
        judge(stays);
        --machine_.ranks;
        return;
      }
      end(dispatcher, stay);
    }
    judge(stays);
    if (!dispatcher.done()) broken.push_back("some tasks never start");
    waiting_.clear();
  }

  void end(Dispatcher& dispatcher, const Stay& stay) {
    const auto& running = dispatcher.running();
    const auto it = std::ranges::find(running, stay.first, &Assignment::first_rank);
    Task task = it->task;
    dispatcher.finished(it->id);
    if (task.attempt == 1 && chance(0.2)) {
      ++task.attempt;
      dispatcher.requeue(task);
    } else {
      finish(task);
    }
  }

  void finish(const Task& task) {
    ++done[{task.case_index, task.visit}];
    std::erase_if(waiting_,
                  [&](const Task& t) { return t.case_index == task.case_index && t.visit == task.visit; });
  }

  void judge(const std::vector<Stay>& stays) {
    for (std::size_t i = 0; i < stays.size(); ++i)
      for (std::size_t j = i + 1; j < stays.size(); ++j)
        if (overlap_in_time(stays[i], stays[j]))
          if (const std::string what = quarrel(stays[i], stays[j], machine_); !what.empty())
            broken.push_back(what);
  }

  Machine machine_;
  std::vector<Task> waiting_;
  CounterRng rng_;
  std::uint64_t draws_ = 0;
};

TEST(DispatchLaws, EveryTaskEndsOnceWhateverFailsAndWhoeverDies) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(concat("seed ", seed));
    const auto tasks = tasks_from({.cases = 12, .visits = 2, .widest = 4, .isolated = 30, .seed = seed});
    FaultyRun run(1 + static_cast<std::int64_t>(seed % 9), tasks, seed);
    run.run();
    int ended = run.too_wide;
    for (const auto& [visit, times] : run.done) {
      EXPECT_EQ(times, 1) << "case " << visit.first << " visit " << visit.second;
      ended += times;
    }
    EXPECT_EQ(run.broken, Laws{});
    if (seed % 9 >= 4) {
      EXPECT_EQ(ended, static_cast<int>(tasks.size())) << "enough ranks for some to be left at the end";
    }
  }
}

// ------- the judge

/// A lawful schedule to spoil.
struct Example {
  Machine machine{.ranks = 4, .ranks_per_node = 2};
  std::vector<Task> tasks = tasks_from({.cases = 12, .visits = 3, .widest = 2, .isolated = 50, .seed = 3});
  std::vector<Stay> stays;
  Example() {
    Dispatcher dispatcher(machine, tasks);
    stays = drive(dispatcher, any_time(1));
  }
  Laws judged() const { return broken_laws(stays, tasks, machine); }
};

TEST(TheJudge, LetsALawfulScheduleGo) {
  EXPECT_EQ(Example().judged(), Laws{});
}

TEST(TheJudge, SeesEverySpoiltSchedule) {
  const auto spoilt = [](const char* name, auto spoil) {
    Example example;
    spoil(example.stays);
    EXPECT_FALSE(example.judged().empty()) << name;
  };
  using Stays = std::vector<Stay>;
  spoilt("a visit is left out", [](Stays& s) { s.pop_back(); });
  spoilt("a visit is made twice", [](Stays& s) {
    s.push_back(s.back());
    s.back().start_s = s.back().end_s = 1e6;
  });
  spoilt("one visit too many", [](Stays& s) { s.push_back({{.case_index = 99}, 0, 1, 1e6, 2e6}); });
  spoilt("outside the world", [](Stays& s) { s[0].first = 4; });
  spoilt("too few ranks",
         [](Stays& s) { std::ranges::find(s, 2, [](const Stay& x) { return x.task.ranks; })->width = 1; });
  spoilt("ranks shared", [](Stays& s) {
    for (Stay& x : s) x.first = 0;
  });
  spoilt("blocks given back too early", [](Stays& s) {
    for (Stay& x : s) x.end_s += 0.5;
  });
  spoilt("all at once", [](Stays& s) {
    for (Stay& x : s) x.start_s = 0.0;
  });
  spoilt("a wide visit starves", [](Stays& s) {
    Stay& first = *std::ranges::find(s, 0, [](const Stay& x) { return x.task.visit; });
    first.start_s += 1e6;
    first.end_s += 1e6;
  });
}

/// Dispatchers with one rule broken, made by telling a sound one less than the judge knows.
TEST(TheJudge, SeesADispatcherThatIgnoresIsolation) {
  Example example;
  auto tasks = example.tasks;
  for (Task& t : tasks) t.isolation = Isolation::none;
  Dispatcher dispatcher(example.machine, tasks);
  example.stays = drive(dispatcher, any_time(1));
  for (Stay& s : example.stays)
    s.task.isolation = std::ranges::find(example.tasks, s.task.case_index, &Task::case_index)->isolation;
  EXPECT_FALSE(example.judged().empty());
}

TEST(TheJudge, SeesADispatcherThatDoesNotKnowTheNodes) {
  Example example;
  Dispatcher dispatcher({.ranks = 4, .ranks_per_node = 1}, example.tasks);
  example.stays = drive(dispatcher, any_time(1));
  EXPECT_FALSE(example.judged().empty());
}

TEST(TheJudge, SeesADispatcherThatLetsACaseRunBesideItself) {
  Example example;
  auto tasks = example.tasks;
  for (Task& t : tasks) t.case_index += 1000 * t.visit;  // visits look like cases of their own
  Dispatcher dispatcher(example.machine, tasks);
  example.stays =
      drive(dispatcher, [](const Assignment& a) { return a.task.case_index % 1000 == 5 ? 50.0 : 1.0; });
  for (Stay& s : example.stays) s.task.case_index %= 1000;
  EXPECT_FALSE(example.judged().empty());
}

TEST(TheJudge, SeesADispatcherWithoutRounds) {
  Example example;
  auto tasks = example.tasks;
  for (Task& t : tasks) t.visit = 0;
  std::ranges::reverse(tasks);
  for (std::size_t i = 0; i < tasks.size(); ++i)
    tasks[i].attempt = static_cast<int>(i);  // to know them again
  Dispatcher dispatcher(example.machine, tasks);
  example.stays = drive(dispatcher, any_time(1));
  for (Stay& s : example.stays) {
    s.task.visit = example.tasks[tasks.size() - 1 - static_cast<std::size_t>(s.task.attempt)].visit;
    s.task.attempt = 1;
  }
  EXPECT_FALSE(example.judged().empty());
}

}  // namespace
}  // namespace bench::scaling
