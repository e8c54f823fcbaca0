// SPDX-License-Identifier: Apache-2.0
// In which order a device's multiprocessors take the tiles of a forward pass (a block of rows of one head each): arithmetic that kernel, launch and
// test share.
//
// Heads come in sections whose keys and values together stay in the L2 cache; inside a section those rows come first that see the most keys (LPT,
// longest processing time first: Graham 1969), of all its heads, so that the multiprocessors end together. Tiles of unequal work are dealt out
// as multiprocessors fall free (dynamic), those of equal work in turn. FlashAttention-3's schedulers do the same.
#pragma once

#include <cstdint>

#include "kernels/attention/device_job.hpp"

namespace bench::attention {

/// Block `row_block` of the rows of query head `head`, counted over the batch.
struct Tile {
  int head, row_block;
};

struct TileOrder {
  int heads, row_blocks, section_heads;  // query heads; a section's, the last one's may be fewer
  bool dynamic;

  BS_HOST_DEVICE int tiles() const { return heads * row_blocks; }
  BS_HOST_DEVICE Tile tile(int t) const {
    const int first = t / (section_heads * row_blocks) * section_heads, within = t - first * row_blocks;
    const int here = heads - first < section_heads ? heads - first : section_heads;
    return {first + within % here, row_blocks - 1 - within / here};
  }
};

/// A block's every tile of its own: heaviest rows of all heads first.
inline TileOrder order_of_blocks(const DeviceJob& job, int rows) { return {job.batch * job.heads, job.row_blocks(rows), job.batch * job.heads, false}; }

inline std::int64_t kv_head_bytes(const DeviceJob& job) { return std::int64_t{2} * job.kv_seq * job.head_dim * 2; }

/// The share of an L2 cache that keys and values may fill, as FlashAttention-3 has it: 32 of 50 MB. Queries and outputs pass through the rest.
inline std::int64_t l2_budget_bytes(std::int64_t l2_bytes) { return l2_bytes / 50 * 32; }

/// For blocks that take tile after tile. Sections are as even as whole key/value heads allow; with equal work one such head each is least to keep.
inline TileOrder order_of_persistent_blocks(const DeviceJob& job, int rows, std::int64_t l2_bytes) {
  TileOrder order = order_of_blocks(job, rows);
  order.dynamic = job.causal || job.window > 0 || job.key_lengths != nullptr || job.bounds != nullptr;
  const std::int64_t kv_heads = order.heads / job.group, fit = std::max<std::int64_t>(1, l2_budget_bytes(l2_bytes) / kv_head_bytes(job));
  const std::int64_t sections = (kv_heads + fit - 1) / fit;
  order.section_heads = order.dynamic ? static_cast<int>((kv_heads + sections - 1) / sections) * job.group : job.group;
  return order;
}

}  // namespace bench::attention
