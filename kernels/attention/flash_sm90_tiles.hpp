// SPDX-License-Identifier: Apache-2.0
// What the two roles of a block of Hopper's forward kernel have in common: the job, the tile at hand, and how they get the next one. Both count
// tiles and blocks of keys alike, so both know every barrier's parity.
#pragma once

#include <cstdint>

#include "kernels/attention/flash_sm90_shape.hpp"
#include "kernels/attention/tile_scheduler.hpp"

namespace bench::attention {

/// The tensors as the copy engine knows them: q and out (B H, L, D) in boxes of 64 rows, k and v (B Hkv, Lk, D) in boxes of kKeys, 64 columns each.
template <class M>
struct FlashSm90Job : DeviceJob {
  TileOrder order;
  std::uint32_t* fetched;  // tiles that a dynamic order has dealt out; 0 before a launch and after it
  typename M::TensorMap q_map, k_map, v_map, out_map;
};

template <class M, FlashSm90Shape kShape, FlashSm90Rung kRung>
class FlashSm90Tiles {
 protected:
  using Memory = FlashSm90Memory<kShape>;
  static constexpr int kRows = kShape.rows();

  BS_DEVICE explicit FlashSm90Tiles(const FlashSm90Job<M>& job) : job_(job), memory_{M::shared()} {}

  BS_DEVICE bool any_tile() const { return tile_ < job_.order.tiles(); }
  BS_DEVICE bool dynamic() const { return kRung.persistent && kShape.masked && job_.order.dynamic; }
  BS_DEVICE void aim(int tile) {
    tile_ = tile;
    if (!any_tile()) return;
    const Tile of = job_.order.tile(tile);
    at_ = BlockOfRows(job_, of.head, of.row_block, kRows);
    if constexpr (!kShape.masked) at_.mask = {job_.seq, job_.kv_seq, 0, false};
    if constexpr (!kShape.knows_all()) at_.mask.bounds = nullptr;
    keys_ = KeyBlocks(at_.mask, at_.row0, kRows, kShape.keys);
    end_ = keys_.end();
    count_ = end_ > keys_.begin() ? end_ - keys_.begin() : 0;
  }
  /// On to tile number `next`; its blocks of keys are counted on from this one's.
  BS_DEVICE void go_to(int next) {
    before_ += count_;
    ++tiles_;
    aim(next);
  }
  /// Of block number i of this tile, from the last one on: its place, and its place's round.
  BS_DEVICE int stage(int i) const { return (before_ + i) % Memory::kStages; }
  BS_DEVICE int round(int i) const { return (before_ + i) / Memory::kStages; }

  /// The next tile of this block. A launch asks for as many as there are, the last time in vain for each block; so the counter ends at 0.
  BS_DEVICE int deal() const {
    if constexpr (!kRung.persistent) return job_.order.tiles();
    if (!dynamic()) return tile_ + M::blocks();
    return M::blocks() + static_cast<int>(M::count_up(job_.fetched, static_cast<std::uint32_t>(job_.order.tiles() - 1)));
  }
  /// The same, as the producer has passed it on.
  BS_DEVICE int dealt() const {
    if (!dynamic()) return deal();
    M::await(memory_.tile_here(), tiles_ % 2);
    const int next = M::of_warp(static_cast<int>(M::load_word(memory_.next_tile())));
    if (M::thread() % 32 == 0) M::arrive(memory_.tile_taken());
    return next;
  }

  const FlashSm90Job<M>& job_;
  const Memory memory_;
  BlockOfRows at_;
  KeyBlocks keys_;
  int tile_, end_, count_;  // at hand; behind its last block of keys, and how many they are
  int tiles_ = 0;           // that are done
  int before_ = 0;          // blocks of keys of those
};

}  // namespace bench::attention
