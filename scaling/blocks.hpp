// SPDX-License-Identifier: Apache-2.0
// Where a case may run: aligned blocks of ranks, as a buddy allocator cuts them. Block k of width w is ranks
// [k w, (k + 1) w); a case of r ranks takes the first r of a block whose width is r rounded up to a power of
// two, or of the whole world when that is smaller.
#pragma once

#include <cstdint>
#include <vector>

#include "scaling/plan.hpp"

namespace bench::scaling {

/// Width of the blocks for a case of `ranks` ranks, 1 <= ranks <= machine.ranks.
std::int64_t block_width(std::int64_t ranks, const Machine& machine);

/// Node of a rank; ranks are numbered node by node.
std::int64_t node_of(std::int64_t rank, const Machine& machine);

/// The blocks of that width that lie wholly in the world, ascending. When the width fits on a node and some
/// blocks stay on one, those that straddle two (six ranks a node, width four) are left out. Never empty for a
/// width made by block_width.
std::vector<std::int64_t> usable_blocks(std::int64_t width, const Machine& machine);

/// The ranks and nodes one step has given away.
class Occupancy {
 public:
  explicit Occupancy(const Machine& machine);
  /// Nothing more can join: every rank is taken, or every node has an isolated visit.
  bool is_full() const { return free_ranks_ == 0 || open_nodes_ == 0; }
  /// Whether block k of `width` is free: none of its ranks is taken, no isolated visit is on its nodes, and,
  /// for an isolated one, nothing is.
  bool is_free(std::int64_t width, std::int64_t block, Isolation isolation) const;
  void take(std::int64_t width, std::int64_t block, Isolation isolation);

 private:
  Machine machine_;
  std::int64_t free_ranks_;
  std::int64_t open_nodes_ = 0;      // without an isolated visit
  std::vector<char> rank_taken_;     // [ranks]
  std::vector<char> node_used_;      // [nodes] some visit is there
  std::vector<char> node_isolated_;  // [nodes] an isolated visit is there
};

}  // namespace bench::scaling
