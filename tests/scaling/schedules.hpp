// SPDX-License-Identifier: Apache-2.0
// For the tests of dispatchers: tasks out of a hat, and a judge that looks only at who was where from when to
// when, so that it owes nothing to the code it judges.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "scaling/dispatch.hpp"
#include "src/core/error.hpp"
#include "src/core/rng.hpp"

namespace bench::scaling::testing {

/// One stay of a task on ranks [first, first + width), from start to end.
struct Stay {
  Task task;
  std::int64_t first = 0, width = 1;
  double start_s = 0.0, end_s = 0.0;
};

inline std::string describe(const Stay& s) {
  return concat("case ", s.task.case_index, " visit ", s.task.visit, " on [", s.first, ", ",
                s.first + s.width, ") from ", s.start_s, " to ", s.end_s);
}

inline bool overlap_in_time(const Stay& a, const Stay& b) {
  return a.start_s < b.end_s && b.start_s < a.end_s;
}

inline std::set<std::int64_t> nodes_of(const Stay& s, const Machine& machine) {
  std::set<std::int64_t> nodes;
  for (std::int64_t r = s.first; r < s.first + s.width; ++r)
    nodes.insert(machine.rank_nodes.empty() ? r / machine.ranks_per_node
                                            : machine.rank_nodes[static_cast<std::size_t>(r)]);
  return nodes;
}

inline bool share_a_node(const Stay& a, const Stay& b, const Machine& machine) {
  const auto mine = nodes_of(a, machine), theirs = nodes_of(b, machine);
  return std::ranges::any_of(mine, [&](std::int64_t node) { return theirs.contains(node); });
}

/// What two stays at the same time break; empty: nothing.
inline std::string quarrel(const Stay& a, const Stay& b, const Machine& machine) {
  if (a.first < b.first + b.width && b.first < a.first + a.width) return "share ranks";
  if (a.task.case_index == b.task.case_index) return "are one case beside itself";
  const bool isolated = a.task.isolation == Isolation::node || b.task.isolation == Isolation::node;
  if (isolated && share_a_node(a, b, machine)) return "share a node though isolated";
  return "";
}

/// Nobody starves: a visit that is not a retry starts before any visit of two rounds later.
inline void check_rounds(const std::vector<Stay>& stays, std::vector<std::string>& broken) {
  for (const Stay& late : stays)
    for (const Stay& early : stays)
      if (late.task.attempt == 1 && early.task.attempt == 1 && early.task.visit + 2 <= late.task.visit &&
          early.start_s > late.start_s)
        broken.push_back(describe(early) + " was passed over by " + describe(late));
}

/// Every law a schedule of packed visits must keep; the laws broken, in words. `wanted`: each exactly once.
inline std::vector<std::string> broken_laws(const std::vector<Stay>& stays, const std::vector<Task>& wanted,
                                            const Machine& machine) {
  std::vector<std::string> broken;
  std::map<std::pair<std::int64_t, std::int64_t>, int> balance;
  for (const Task& t : wanted) ++balance[{t.case_index, t.visit}];
  for (const Stay& s : stays) {
    --balance[{s.task.case_index, s.task.visit}];
    if (s.first < 0 || s.first + s.width > machine.ranks) broken.push_back(describe(s) + " leaves the world");
    if (s.width < s.task.ranks) broken.push_back(describe(s) + " has too few ranks");
  }
  for (const auto& [key, missing] : balance)
    if (missing != 0)
      broken.push_back(concat("case ", key.first, " visit ", key.second, " is missing ", missing, " times"));
  for (std::size_t i = 0; i < stays.size(); ++i)
    for (std::size_t j = i + 1; j < stays.size(); ++j) {
      if (!overlap_in_time(stays[i], stays[j])) continue;
      const std::string what = quarrel(stays[i], stays[j], machine);
      if (!what.empty()) broken.push_back(describe(stays[i]) + " and " + describe(stays[j]) + " " + what);
    }
  check_rounds(stays, broken);
  return broken;
}

/// Drives a dispatcher on a clock of its own; `duration(assignment)` in seconds. Independent of simulate.hpp.
template <class Duration>
std::vector<Stay> drive(AnyDispatcher& dispatcher, Duration duration) {
  std::multimap<double, std::pair<std::int64_t, std::size_t>> ends;  // end: assignment, index into stays
  std::vector<Stay> stays;
  double now_s = 0.0;
  for (;;) {
    for (const Assignment& a : dispatcher.start_ready()) {
      const double end_s = now_s + duration(a);
      ends.insert({end_s, {a.id, stays.size()}});
      stays.push_back({a.task, a.first_rank, a.width, now_s, end_s});
    }
    if (ends.empty()) break;
    now_s = ends.begin()->first;
    dispatcher.finished(ends.begin()->second.first);
    ends.erase(ends.begin());
  }
  return stays;
}

/// Where the mix of tasks comes from.
struct Hat {
  std::int64_t cases = 20, visits = 2, widest = 4;
  int isolated = 0;  // percent of the cases
  std::uint64_t seed = 1;
};

/// `visits` rounds of the same cases, any widths from 1 to widest, times lognormal (factor e), longest first
/// in each round.
inline std::vector<Task> tasks_from(const Hat& hat) {
  const CounterRng rng(hat.seed, "tasks");
  std::vector<Task> round, all;
  for (std::int64_t c = 0; c < hat.cases; ++c) {
    const auto i = static_cast<std::uint64_t>(c) * 3;
    round.push_back(
        {.case_index = c,
         .estimate_s = std::exp(rng.normal(i)),
         .ranks = 1 + static_cast<std::int64_t>(rng.uniform(i + 1) * static_cast<double>(hat.widest)),
         .isolation = rng.uniform(i + 2) * 100 < hat.isolated ? Isolation::node : Isolation::none});
  }
  std::ranges::stable_sort(round, std::ranges::greater{}, &Task::estimate_s);
  for (std::int64_t v = 0; v < hat.visits; ++v)
    for (Task t : round) {
      t.visit = v;
      all.push_back(t);
    }
  return all;
}

/// Durations that the order knows nothing of.
inline auto any_time(std::uint64_t seed) {
  return [rng = CounterRng(seed, "durations")](const Assignment& a) {
    return std::exp(rng.normal(static_cast<std::uint64_t>(a.id)));
  };
}

inline std::vector<Machine> worlds() {
  std::vector<Machine> list;
  for (std::int64_t ranks = 1; ranks <= 9; ++ranks)  // powers of two, primes, 6 = 4 + 2
    for (const std::int64_t per_node : {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, ranks})
      list.push_back({.ranks = ranks, .ranks_per_node = per_node});
  list.push_back({.ranks = 13, .ranks_per_node = 8, .rank_nodes = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}});
  return list;
}

}  // namespace bench::scaling::testing
