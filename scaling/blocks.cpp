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
  if (!machine.rank_nodes.empty()) return machine.rank_nodes.at(static_cast<std::size_t>(rank));
  return rank / std::max<std::int64_t>(1, machine.ranks_per_node);
}

std::vector<std::int64_t> block_starts(std::int64_t width, const Machine& machine) {
  std::vector<std::int64_t> starts;
  for (std::int64_t begin = 0, end = 0; begin < machine.ranks; begin = end) {
    while (end < machine.ranks && node_of(end, machine) == node_of(begin, machine)) ++end;
    for (std::int64_t first = begin; first + width <= end; first += width) starts.push_back(first);
  }
  if (!starts.empty()) return starts;
  for (std::int64_t first = 0; first + width <= machine.ranks; first += width) starts.push_back(first);
  return starts;
}

Occupancy::Occupancy(const Machine& machine)
    : free_ranks_(machine.ranks), rank_taken_(static_cast<std::size_t>(machine.ranks), 0) {
  for (std::int64_t rank = 0; rank < machine.ranks; ++rank) rank_node_.push_back(node_of(rank, machine));
  open_nodes_ = rank_node_.back() + 1;
  node_used_.assign(static_cast<std::size_t>(open_nodes_), 0);
  node_isolated_.assign(static_cast<std::size_t>(open_nodes_), 0);
}

bool Occupancy::is_free(std::int64_t first, std::int64_t width, Isolation isolation) const {
  for (std::int64_t rank = first; rank < first + width; ++rank) {
    const auto node = static_cast<std::size_t>(rank_node_[static_cast<std::size_t>(rank)]);
    if (rank_taken_[static_cast<std::size_t>(rank)] != 0 || node_isolated_[node] != 0) return false;
    if (isolation == Isolation::node && node_used_[node] != 0) return false;
  }
  return true;
}

void Occupancy::isolate(std::int64_t node, bool on) {
  char& flag = node_isolated_[static_cast<std::size_t>(node)];
  if ((flag != 0) == on) return;
  flag = on ? 1 : 0;
  open_nodes_ += on ? -1 : 1;
}

void Occupancy::take(std::int64_t first, std::int64_t width, Isolation isolation) {
  for (std::int64_t rank = first; rank < first + width; ++rank) {
    rank_taken_[static_cast<std::size_t>(rank)] = 1;
    ++node_used_[static_cast<std::size_t>(node(rank))];
    if (isolation == Isolation::node) isolate(node(rank), true);
  }
  free_ranks_ -= width;
}

void Occupancy::release(std::int64_t first, std::int64_t width, Isolation isolation) {
  for (std::int64_t rank = first; rank < first + width; ++rank) {
    rank_taken_[static_cast<std::size_t>(rank)] = 0;
    --node_used_[static_cast<std::size_t>(node(rank))];
    if (isolation == Isolation::node) isolate(node(rank), false);
  }
  free_ranks_ += width;
}

}  // namespace bench::scaling
