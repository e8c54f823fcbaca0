// SPDX-License-Identifier: Apache-2.0
// Where a case may run: blocks of ranks, cut as a buddy allocator cuts them. A case of r ranks takes the
// first r of a block whose width is r rounded up to a power of two, or of the whole world when that is
// smaller.
#pragma once

#include <cstdint>
#include <vector>

#include "scaling/plan.hpp"

namespace bench::scaling {

/// Width of the blocks for a case of `ranks` ranks, 1 <= ranks <= machine.ranks.
std::int64_t block_width(std::int64_t ranks, const Machine& machine);

/// Node of a rank; ranks are numbered node by node.
std::int64_t node_of(std::int64_t rank, const Machine& machine);

/// The first ranks of the blocks of that width, ascending; block k is the k-th of them. A width that some
/// node can hold is cut node by node from the node's first rank, so that no block straddles two, also with
/// six ranks a node or after a rank was lost; a wider one is cut from rank 0. Never empty for a width made by
/// block_width.
std::vector<std::int64_t> block_starts(std::int64_t width, const Machine& machine);

/// The ranks and nodes that are given away now.
class Occupancy {
 public:
  explicit Occupancy(const Machine& machine);
  /// Nothing more can join: every rank is taken, or every node has an isolated visit.
  bool is_full() const { return free_ranks_ == 0 || open_nodes_ == 0; }
  /// Whether ranks [first, first + width) are free: none is taken, no isolated visit is on their nodes, and,
  /// for an isolated one, nothing is.
  bool is_free(std::int64_t first, std::int64_t width, Isolation isolation) const;
  void take(std::int64_t first, std::int64_t width, Isolation isolation);
  /// Undoes a `take` with the same arguments.
  void release(std::int64_t first, std::int64_t width, Isolation isolation);
  std::int64_t node(std::int64_t rank) const { return rank_node_[static_cast<std::size_t>(rank)]; }
  std::int64_t nodes() const { return static_cast<std::int64_t>(node_used_.size()); }

 private:
  void isolate(std::int64_t node, bool on);

  std::int64_t free_ranks_;
  std::int64_t open_nodes_ = 0;          // without an isolated visit
  std::vector<std::int64_t> rank_node_;  // [ranks]
  std::vector<char> rank_taken_;         // [ranks]
  std::vector<std::int64_t> node_used_;  // [nodes] ranks given away there
  std::vector<char> node_isolated_;      // [nodes] an isolated visit is there
};

}  // namespace bench::scaling
