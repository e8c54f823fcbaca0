// SPDX-License-Identifier: Apache-2.0
// A run on a clock that is only counted: which task is where from when to when, how long the whole takes, and
// how long any schedule must take. The plan verb prints it, the tests judge the dispatcher by it, and the
// static schedule is it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "scaling/dispatch.hpp"

namespace bench::scaling {

/// An assignment with its times, seconds from the start of the run.
struct Slot {
  Assignment assignment;
  double start_s = 0.0, end_s = 0.0;
};

struct Schedule {
  std::vector<Slot> slots;  // in the order of starts
  double makespan_s = 0.0;
  double lower_bound_s = 0.0;
  /// 1: no schedule is shorter; 1 as well for nothing to do.
  double ratio() const { return lower_bound_s > 0.0 ? makespan_s / lower_bound_s : 1.0; }
};

/// Runs a dispatcher until it is done; `duration_s` of an assignment, >= 0. lower_bound_s stays 0.
Schedule simulate(AnyDispatcher& dispatcher, const std::function<double(const Assignment&)>& duration_s);

/// Dynamic dispatch of `tasks` (distinct case and visit). The dispatcher sees their estimates through their
/// order only; `durations_s`[i] is what tasks[i] really takes, empty: what it was estimated.
Schedule simulate(const std::vector<Task>& tasks, const Machine& machine,
                  std::span<const double> durations_s = {}, Placement placement = Placement::packed);

/// No schedule that keeps blocks, isolation and placement is shorter: the largest of
///   sum of ranks x time that tasks keep from others, over N (an isolated one keeps its whole nodes),
///   the longest chain of visits of one case (they never run side by side),
///   the sum over those that need more than half the machine (they run one by one), and the longest chain of
///   a case that cannot run beside one of them either, with the sum over those, for each width, the sum over
///   its tasks over the number of its blocks.
double lower_bound_s(const std::vector<Task>& tasks, const Machine& machine,
                     std::span<const double> durations_s = {}, Placement placement = Placement::packed);

}  // namespace bench::scaling
