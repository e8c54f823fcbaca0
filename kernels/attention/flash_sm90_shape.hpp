// SPDX-License-Identifier: Apache-2.0
// The rungs of Hopper's forward kernel, the sizes of its tiles, and where things lie in a block's shared memory.
//
// | kernel                         | overlap | persistent | ping-pong | TMA store |
// |--------------------------------|---------|------------|-----------|-----------|
// | flash_plain_sm90_cuda          |         |            |           |           |
// | flash_overlap_sm90_cuda        | x       |            |           |           |
// | flash_persistent_sm90_cuda     | x       | x          |           |           |
// | flash_pingpong_sm90_cuda       | x       | x          | x         |           |
// | flash_tma_store_sm90_cuda      | x       | x          | D <= 128  | x         |
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::attention {

struct FlashSm90Rung {
  bool overlap = false;     // a block's softmax while the output of the one before is computed
  bool persistent = false;  // as many blocks as multiprocessors, each taking tile after tile (tile_scheduler.hpp)
  bool pingpong = false;    // the two warpgroups issue their products in turn, one's softmax under the other's products
  bool tma_store = false;   // output by way of shared memory and the copy engine, under the next tile's beginning
};
inline constexpr FlashSm90Rung kPlainRung{}, kOverlapRung{true}, kPersistentRung{true, true}, kPingPongRung{true, true, true}, kTmaStoreRung{true, true, true, true};
/// Turns alone are for head dimensions whose products are short enough to need them.
constexpr int most_head_dim(FlashSm90Rung rung) { return rung.pingpong && !rung.tma_store ? 128 : 256; }

/// Head dimensions up to `dim`; `consumers` warpgroups of 64 rows each, `keys` keys a block.
struct FlashSm90Shape {
  int dim, keys, consumers;
  bool masked = true;  // false: every row sees every key, and the kernel keeps no register for what might be otherwise
  constexpr int rows() const { return 64 * consumers; }
  /// Capped scores and packed sequences, too: with more columns the output leaves no registers for them.
  BS_HOST_DEVICE constexpr bool knows_all() const { return dim <= 128; }
};

/// Q (consumers tiles of 64 rows), then K and V (kStages tiles each), then barriers of 8 bytes and the number of the next tile.
template <FlashSm90Shape kShape>
struct FlashSm90Memory {
  static constexpr int kStages = 2, kPages = kShape.dim / cuda::kPageColumns;
  static constexpr int kTileBytes = cuda::tile_bytes(kShape.keys, kShape.dim), kQueryBytes = cuda::tile_bytes(64, kShape.dim);
  static constexpr int kBytes = kShape.consumers * kQueryBytes + 2 * kStages * kTileBytes + 128;
  static_assert(kBytes + cuda::kTileAlignment_bytes <= 227 << 10);
  enum Tensor : int { kK, kV };

  std::uint32_t base;

  BS_DEVICE std::uint32_t queries(int consumer) const { return base + consumer * kQueryBytes; }
  BS_DEVICE std::uint32_t tile(Tensor tensor, int stage) const { return base + kShape.consumers * kQueryBytes + (tensor * kStages + stage) * kTileBytes; }
  BS_DEVICE std::uint32_t full(Tensor tensor, int stage) const { return barrier(tensor * kStages + stage); }
  BS_DEVICE std::uint32_t empty(Tensor tensor, int stage) const { return barrier((2 + tensor) * kStages + stage); }
  BS_DEVICE std::uint32_t queries_here() const { return barrier(4 * kStages); }
  BS_DEVICE std::uint32_t queries_left() const { return barrier(4 * kStages + 1); }
  BS_DEVICE std::uint32_t tile_here() const { return barrier(4 * kStages + 2); }
  BS_DEVICE std::uint32_t tile_taken() const { return barrier(4 * kStages + 3); }
  BS_DEVICE std::uint32_t next_tile() const { return barrier(4 * kStages + 4); }

  /// `leavers`: who says that the queries' places are free again.
  template <class M>
  BS_DEVICE void start_barriers(int leavers) const {
    constexpr int kWarps = 4 * kShape.consumers;
    for (int stage = 0; stage < kStages; ++stage)
      for (const Tensor tensor : {kK, kV}) {
        M::start_barrier(full(tensor, stage), 1);
        M::start_barrier(empty(tensor, stage), kWarps);
      }
    M::start_barrier(queries_here(), 1);
    M::start_barrier(queries_left(), leavers);
    M::start_barrier(tile_here(), 1);
    M::start_barrier(tile_taken(), kWarps);
    M::publish_barriers();
  }

 private:
  BS_DEVICE std::uint32_t barrier(int i) const { return tile(kV, kStages) + i * 8; }
};

}  // namespace bench::attention
