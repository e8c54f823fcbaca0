// SPDX-License-Identifier: Apache-2.0
// Static dispatch: a simulated schedule followed exactly. Every task runs on the block the schedule gave it,
// and starts when all that the schedule starts before it and that it may not run beside have ended: those
// that share a rank, an isolated node or the case with it. Which tasks follow which on every rank and node is
// then the schedule's whatever the real durations are; only the times differ. For tests and for a repeatable
// order; it waits where dynamic dispatch would fill a gap.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "scaling/simulate.hpp"

namespace bench::scaling {

class StaticDispatcher : public AnyDispatcher {
 public:
  /// `schedule` is one of this machine and placement; its times only say which task starts before which.
  StaticDispatcher(const Machine& machine, const Schedule& schedule, Placement placement = Placement::packed);
  std::vector<Assignment> start_ready() override;
  void finished(std::int64_t assignment_id) override;
  /// The schedule knows no retries: they follow it, alone on the machine, in the order in which they came.
  void requeue(const Task& task) override;
  std::size_t waiting() const override { return waiting_; }
  const std::vector<Assignment>& running() const override { return board_.running(); }

 private:
  /// What starts together: one task, or all replicas of one.
  struct Step {
    std::vector<Assignment> parts;
    std::vector<std::size_t> followers;  // steps that wait for this one; a step may stand here more than once
    std::size_t awaited = 0;  // how often it stands among the followers of steps that have not ended
    std::size_t running_parts = 0;
  };
  class Linker;

  void place(Step& step, std::size_t index);
  Step retry_step(const Task& task) const;

  Board board_;
  Placement placement_;
  std::vector<Step> steps_;                      // in the order of starts
  std::set<std::size_t> ready_;                  // steps that wait for nobody
  std::map<std::int64_t, std::size_t> step_of_;  // running assignment: its step
  std::deque<Task> retries_;
  std::size_t waiting_ = 0;
  std::size_t unfinished_ = 0;  // steps
  std::int64_t next_id_ = 0;
};

/// The dispatcher that `run.schedule` and `run.placement` ask for.
std::unique_ptr<AnyDispatcher> make_dispatcher(const RunSettings& run, const Machine& machine,
                                               const std::vector<Task>& tasks);

}  // namespace bench::scaling
