// SPDX-License-Identifier: Apache-2.0
// The visits of a plan as a list of tasks in order of preference: what a dispatcher takes from.
//
// Rounds come first: every case's visit r stands before any visit r + 1, so that drift of the machine hits
// all cases alike. Within a round the plan's `order` decides:
//   longest  longest estimated visit first, ties wider first, then shuffled: the shortest makespan
//   shuffle, abba, given  see order.hpp
//   auto     longest when visits can run side by side (several nodes, or a case without isolation), else
//   shuffle
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "scaling/plan.hpp"

namespace bench::scaling {

/// A visit waiting to be placed.
struct Task {
  std::int64_t case_index = 0;
  std::int64_t visit = 0;
  double estimate_s = 0.0;  // of the visit
  std::int64_t ranks = 1;
  Isolation isolation = Isolation::node;
  int attempt = 1;
};

/// The plan's order with `auto` decided.
std::string order_policy(const Plan& plan);

/// The cases that are visited in round `round`, in the plan's order; indices into plan.cases.
std::vector<std::size_t> round_order(const Plan& plan, std::int64_t round);

/// All visits of all cases to measure, in order of preference. Reads cases, settings and machine of the plan.
std::vector<Task> make_tasks(const Plan& plan);

/// Takes out of `tasks` those that need more ranks than the machine (still) has; no dispatcher accepts them.
std::vector<Task> take_too_wide(std::vector<Task>& tasks, const Machine& machine);

}  // namespace bench::scaling
