// SPDX-License-Identifier: Apache-2.0
// Aligned blocks of ranks: with width w, block k is positions [kw, (k+1)w) of the node-major order of ranks.
// Built once, by one split per width, so that no visit has to form a group while others measure. With w a
// divisor of the ranks per node no block straddles nodes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "src/comm/communicator.hpp"

namespace bench::comm {

/// The ranks in node-major order: result[position] = rank. `node_of_rank[r]` is any number that names r's
/// node. Nodes come in the order of their lowest rank, ranks within a node ascending, so rank 0 keeps
/// position 0.
std::vector<int> node_major_order(const std::vector<std::int64_t>& node_of_rank);

class AlignedBlocks {
 public:
  /// Collective over `world`; every rank passes the same `widths` (order and repeats do not matter). Throws
  /// Error(usage) when a width is not in 1..world.size().
  AlignedBlocks(const Communicator& world, const std::vector<int>& widths);

  /// Collective: builds the blocks of one more width; nothing happens when they are there.
  void add(int width);

  /// This rank's block, or null in the trailing ranks that fill no block of this width. Its rank 0 is the
  /// block's lowest position. Throws Error(internal) for a width that was not built; so does block_index.
  const Communicator* get(int width) const;
  /// Which block this rank belongs to, counted from 0; nullopt in the trailing ranks.
  std::optional<int> block_index(int width) const;
  /// Complete blocks of this width.
  int block_count(int width) const { return line_.size() / width; }

  /// result[position] = rank in the `world` given; the same on every rank.
  const std::vector<int>& order() const { return order_; }
  /// This rank's own position.
  int position() const { return line_.rank(); }

 private:
  std::vector<int> order_;
  Communicator line_;                                    // all ranks, in node-major order
  std::map<int, std::optional<Communicator>> by_width_;  // nullopt: in no complete block
};

}  // namespace bench::comm
