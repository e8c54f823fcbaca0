// SPDX-License-Identifier: Apache-2.0
#include "scaling/blocks.hpp"

#include <algorithm>
#include <bit>

#include "src/core/error.hpp"

namespace bench::scaling {

std::int64_t block_width(std::int64_t ranks, const Machine& machine) {
  BS_REQUIRE(ranks >= 1 && ranks <= machine.ranks, "no block has ", ranks, " of ", machine.ranks, " ranks");
  const auto rounded = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(ranks)));
  return std::min(rounded, machine.ranks);
}

std::int64_t node_of(std::int64_t rank, const Machine& machine) {
  return rank / std::max<std::int64_t>(1, machine.ranks_per_node);
}

std::vector<std::int64_t> usable_blocks(std::int64_t width, const Machine& machine) {
  std::vector<std::int64_t> all, on_one_node;
  for (std::int64_t k = 0; (k + 1) * width <= machine.ranks; ++k) {
    all.push_back(k);
    if (node_of(k * width, machine) == node_of((k + 1) * width - 1, machine)) on_one_node.push_back(k);
  }
  return on_one_node.empty() ? all : on_one_node;
}

Occupancy::Occupancy(const Machine& machine)
    : machine_(machine),
      free_ranks_(machine.ranks),
      rank_taken_(static_cast<std::size_t>(machine.ranks), 0),
      node_used_(static_cast<std::size_t>(node_of(machine.ranks - 1, machine) + 1), 0),
      node_isolated_(node_used_.size(), 0) {
  open_nodes_ = static_cast<std::int64_t>(node_used_.size());
}

bool Occupancy::is_free(std::int64_t width, std::int64_t block, Isolation isolation) const {
  const std::int64_t begin = block * width, end = begin + width;
  for (std::int64_t rank = begin; rank < end; ++rank) {
    const auto node = static_cast<std::size_t>(node_of(rank, machine_));
    if (rank_taken_[static_cast<std::size_t>(rank)] != 0 || node_isolated_[node] != 0) return false;
    if (isolation == Isolation::node && node_used_[node] != 0) return false;
  }
  return true;
}

void Occupancy::take(std::int64_t width, std::int64_t block, Isolation isolation) {
  for (std::int64_t rank = block * width; rank < (block + 1) * width; ++rank) {
    const auto node = static_cast<std::size_t>(node_of(rank, machine_));
    rank_taken_[static_cast<std::size_t>(rank)] = 1;
    node_used_[node] = 1;
    if (isolation != Isolation::node || node_isolated_[node] != 0) continue;
    node_isolated_[node] = 1;
    --open_nodes_;
  }
  free_ranks_ -= width;
}

}  // namespace bench::scaling
