// SPDX-License-Identifier: Apache-2.0
#include "src/comm/blocks.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "src/core/error.hpp"

namespace bench::comm {
namespace {

// A node is named by the lowest of its ranks in `world`.
std::vector<int> order_of(const Communicator& world) {
  const Communicator node = world.node();
  return node_major_order(world.allgather(node.allgather(world.rank()).front()));
}

Communicator in_line(const Communicator& world, const std::vector<int>& order) {
  const auto mine = std::find(order.begin(), order.end(), world.rank());
  return std::move(*world.split(0, static_cast<int>(mine - order.begin())));
}

}  // namespace

std::vector<int> node_major_order(const std::vector<std::int64_t>& node_of_rank) {
  std::map<std::int64_t, std::size_t> lowest_rank;
  for (std::size_t r = 0; r < node_of_rank.size(); ++r) lowest_rank.emplace(node_of_rank[r], r);
  std::vector<int> order(node_of_rank.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return lowest_rank[node_of_rank[static_cast<std::size_t>(a)]] <
           lowest_rank[node_of_rank[static_cast<std::size_t>(b)]];
  });
  return order;
}

AlignedBlocks::AlignedBlocks(const Communicator& world, const std::vector<int>& widths)
    : order_(order_of(world)), line_(in_line(world, order_)) {
  for (const int width : std::set<int>(widths.begin(), widths.end())) add(width);
}

void AlignedBlocks::add(int width) {
  if (width < 1 || width > line_.size()) {
    usage_error(
        concat("a block of ", width, " ranks is not in 1..", line_.size(), ", the ranks of this run"));
  }
  if (by_width_.contains(width)) return;
  const int block = position() / width;
  by_width_.emplace(width, line_.split(block < block_count(width) ? block : -1, position()));
}

const Communicator* AlignedBlocks::get(int width) const {
  const auto found = by_width_.find(width);
  BS_REQUIRE(found != by_width_.end(), "no blocks of width ", width, " were built");
  return found->second ? &*found->second : nullptr;
}

std::optional<int> AlignedBlocks::block_index(int width) const {
  if (get(width) == nullptr) return std::nullopt;
  return position() / width;
}

}  // namespace bench::comm
