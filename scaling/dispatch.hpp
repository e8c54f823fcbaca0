// SPDX-License-Identifier: Apache-2.0
// Dynamic dispatch: whenever a block falls free, the first task in order of preference that fits starts. No
// clock and no communication: the coordinator tells when a visit has ended and is told what starts.
//
// Rules, in this order:
//   1. no two tasks share a rank; a task isolated by node shares no node with any other;
//   2. a case never runs beside itself (unless replicated);
//   3. gaps are filled from at most one round ahead of the earliest round that still waits, so that a wide
//   task
//      can be passed over for two rounds at most;
//   4. of what may start, what stands first in the order of preference starts, on the first free block of its
//      width counted from the one whose turn it is, one this case has not been on when there is such a block:
//      a slow core or link then shows as a difference between blocks and not between cases.
// With longest-first order this is list scheduling; makespans are in simulate.hpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "scaling/board.hpp"

namespace bench::scaling {

/// packed: side by side as isolation allows; solo: alone on the machine; replicated: on every block of its
/// width at once and nothing else (node throughput, spread between ranks).
enum class Placement : std::uint8_t { packed, solo, replicated };

/// The one that `run.placement` names.
Placement placement_of(const RunSettings& run);

/// What a coordinator works with.
class AnyDispatcher {
 public:
  virtual ~AnyDispatcher() = default;
  /// All that may start now; they count as running from here on.
  virtual std::vector<Assignment> start_ready() = 0;
  /// Frees the assignment's block. Error(internal) when it is not running.
  virtual void finished(std::int64_t assignment_id) = 0;
  /// A retry. Dynamic: goes before everything that waits, whatever its round. A replicated task is requeued
  /// once for all of its blocks.
  virtual void requeue(const Task& task) = 0;
  /// Tasks that have not started.
  virtual std::size_t waiting() const = 0;
  virtual const std::vector<Assignment>& running() const = 0;
  bool idle() const { return running().empty(); }
  bool done() const { return idle() && waiting() == 0; }
};

class Dispatcher : public AnyDispatcher {
 public:
  /// `tasks` in order of preference; a task of an earlier visit number goes before one of a later.
  /// Error(internal) for a task wider than the machine (see take_too_wide).
  Dispatcher(const Machine& machine, std::vector<Task> tasks, Placement placement = Placement::packed);
  std::vector<Assignment> start_ready() override;
  void finished(std::int64_t assignment_id) override { board_.release(assignment_id); }
  void requeue(const Task& task) override;
  std::size_t waiting() const override { return waiting_; }
  const std::vector<Assignment>& running() const override { return board_.running(); }

 private:
  struct Entry {
    Task task;
    bool retry = false;  // may start whatever its round
  };
  /// Tasks that compete for the same places: if the first of them finds none, none does.
  struct Queue {
    std::int64_t width = 1;
    Isolation isolation = Isolation::node;
    std::vector<std::int64_t> starts;       // first ranks of its blocks
    std::map<std::int64_t, Entry> entries;  // by position: less is preferred
    bool shut = false;                      // nothing of it fits any more in this call
  };
  using Candidate = std::map<std::int64_t, Entry>::iterator;

  void add(const Task& task, std::int64_t position, bool retry);
  Candidate first_candidate(Queue& queue);
  std::optional<std::pair<Queue*, Candidate>> best_candidate();
  bool start(Queue& queue, const Task& task);
  std::optional<std::size_t> find_block(const Queue& queue, const Task& task);
  void forget(Queue& queue, Candidate candidate);

  Board board_;
  Placement placement_;
  std::map<std::pair<std::int64_t, Isolation>, Queue> queues_;  // by width and isolation
  std::map<std::int64_t, std::int64_t> round_waiting_;  // round: tasks of it that wait, without retries
  std::vector<std::vector<std::size_t>> blocks_had_;    // [cases] blocks it was on since it had them all
  std::size_t waiting_ = 0;
  std::int64_t front_ = 0;  // positions below 0 are retries
};

}  // namespace bench::scaling
