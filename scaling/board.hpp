// SPDX-License-Identifier: Apache-2.0
// Who runs where now: the bookkeeping that every dispatcher shares.
#pragma once

#include <cstdint>
#include <vector>

#include "scaling/blocks.hpp"
#include "scaling/tasks.hpp"

namespace bench::scaling {

/// A task on its block. Ranks [first_rank, first_rank + ranks) take part; the block's other ranks stay idle.
struct Assignment {
  std::int64_t id = 0;  // unique within a dispatcher, ascending in the order of starts
  Task task;
  std::int64_t first_rank = 0;
  std::int64_t ranks = 1;
  std::int64_t block = 0;                // number of the block among those of its width (block_starts)
  std::int64_t width = 1;                // of the block
  std::vector<std::int64_t> neighbours;  // cases on one of its nodes at its start, ascending, each once
};

class Board {
 public:
  explicit Board(const Machine& machine);
  const Machine& machine() const { return machine_; }
  const Occupancy& occupancy() const { return occupancy_; }
  const std::vector<Assignment>& running() const { return running_; }
  bool is_running(std::int64_t case_index) const;

  /// Puts a task on block `block` of `width` ranks from `first_rank` on. The caller has asked the occupancy.
  void place(const Task& task, std::int64_t first_rank, std::int64_t block, std::int64_t width);
  /// The assignments placed since the last call, now that all that start together are known: with neighbours.
  std::vector<Assignment> take_started();
  /// Error(internal) when no such assignment is running.
  void release(std::int64_t assignment_id);

 private:
  std::vector<std::int64_t> neighbours_of(const Assignment& one) const;

  Machine machine_;
  Occupancy occupancy_;
  std::vector<Assignment> running_;                 // in the order of starts
  std::vector<std::int64_t> running_of_case_;       // [cases] how many of its visits run
  std::vector<std::vector<std::int64_t>> on_node_;  // [nodes] cases that run there
  std::int64_t next_id_ = 0;
  std::int64_t first_new_ = 0;  // id of the first assignment that take_started has not returned
};

}  // namespace bench::scaling
