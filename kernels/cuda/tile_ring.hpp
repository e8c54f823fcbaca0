// SPDX-License-Identifier: Apache-2.0
// Places in shared memory that are filled and left in turn, round after round: tile i lies in place i mod kStages. Every place has a barrier for "full" and
// one for "empty", whose parity tells the rounds apart; both sides count tiles from 0.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::cuda {

template <class M, int kPlaceBytes, int kPlaces>
struct TileRing {
  static constexpr int kBytes = kPlaceBytes, kStages = kPlaces, kAllBytes = kBytes * kStages, kBarrierBytes = 16 * kStages;
  std::uint32_t places, barriers;

  BS_DEVICE std::uint32_t tile(int i) const { return places + i % kStages * kBytes; }
  BS_DEVICE std::uint32_t full(int i) const { return barriers + i % kStages * 16; }
  BS_DEVICE std::uint32_t empty(int i) const { return full(i) + 8; }

  /// By one thread: `fillers` arrivals make a place full, besides the bytes of copies, and `leavers` empty.
  BS_DEVICE void start(int fillers, int leavers) const {
    for (int i = 0; i < kStages; ++i) {
      M::start_barrier(full(i), fillers);
      M::start_barrier(empty(i), leavers);
    }
  }

  BS_DEVICE void await_full(int i) const { M::await(full(i), i / kStages % 2); }
  /// Until tile i - kStages has been left; at once in the first round.
  BS_DEVICE void await_empty(int i) const { M::await(empty(i), (i / kStages + 1) % 2); }
  /// Tile i's place for so many bytes of copies, by one thread; returns the barrier that they count on.
  BS_DEVICE std::uint32_t claim(int i, int bytes = kBytes) const {
    await_empty(i);
    M::arrive_with_bytes(full(i), bytes);
    return full(i);
  }
  /// By all lanes of a warp: none of them reads tile i any more.
  BS_DEVICE void leave(int i) const {
    M::sync_warp();
    if (M::thread() % 32 == 0) M::arrive(empty(i));
  }
};

}  // namespace bench::cuda
