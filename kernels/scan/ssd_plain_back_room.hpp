// SPDX-License-Identifier: Apache-2.0
// Where a block of the ssd op's plain backward pass (ssd_plain_back.hpp) has its numbers in shared memory, and how its threads share states.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_bwd_job.hpp"

namespace bench::scan {

/// kLanes neighbouring threads share kRows elements of a head; of each a thread has kEach states, four neighbours in every 4 kLanes of them.
template <class M, int kEachOf, int kLanesOf, int kRowsOf>
struct SsdPlainBackRoom {
  static constexpr int kEach = kEachOf, kLanes = kLanesOf, kRows = kRowsOf;
  static constexpr int kThreads = 256, kWarps = kThreads / 32;
  static constexpr int kStates = kLanes * kEach, kGroups = kThreads / kLanes, kElements = kGroups * kRows;
  static constexpr int kTile = 8, kHalf = kTile / 2;  // steps whose states are kept at once; those whose shares of dB and dC are
  static constexpr int kTiles = kSsdBwdSteps / kTile, kMarks = kTiles - 2;
  static_assert(kTile == kWarps, "a warp finishes a step");
  static_assert(kElements <= kSsdBwdElements, "a part of a head is gone through once or more");
  static constexpr int kFloats = 6 * kSsdBwdSteps + kTile * (2 * kStates + 4 * kElements + kGroups) + kMarks * kRows * kEach * kThreads + kWarps * kHalf * 2 * kStates;
  float* base;

  /// Of the chunk's steps: d, the decay, whether a packed sequence begins; and what all elements of a part add up to, as in SsdStepSums.
  BS_DEVICE float& d(int t) const { return base[t]; }
  BS_DEVICE float& decay(int t) const { return base[kSsdBwdSteps + t]; }
  BS_DEVICE float& begins(int t) const { return base[2 * kSsdBwdSteps + t]; }
  BS_DEVICE float& sum(int which, int t) const { return base[(3 + which) * kSsdBwdSteps + t]; }
  /// Of a tile's steps: B and C; x, the gradient before the gate, R B and S C of each element; <R, S before> of each group of lanes.
  BS_DEVICE float* b(int s) const { return base + 6 * kSsdBwdSteps + s * kStates; }
  BS_DEVICE float* c(int s) const { return b(kTile) + s * kStates; }
  BS_DEVICE float* x(int s) const { return c(kTile) + s * kElements; }
  BS_DEVICE float* dy(int s) const { return x(kTile) + s * kElements; }
  BS_DEVICE float* rb(int s) const { return dy(kTile) + s * kElements; }
  BS_DEVICE float* sc(int s) const { return rb(kTile) + s * kElements; }
  BS_DEVICE float* rs(int s) const { return sc(kTile) + s * kGroups; }
  /// State number i of this thread's before tile number tile, 1 <= tile <= kMarks.
  BS_DEVICE float& mark(int tile, int i) const { return rs(kTile)[((tile - 1) * kRows * kEach + i) * kThreads + M::thread()]; }
  /// dB (0) and dC (1) of half a tile's steps: what a warp's elements add to states n on.
  BS_DEVICE float* part(int warp, int s, int which) const { return rs(kTile) + kMarks * kRows * kEach * kThreads + ((warp * kHalf + s) * 2 + which) * kStates; }

  BS_DEVICE static int lane() { return M::thread() % kLanes; }
  BS_DEVICE static int group() { return M::thread() / kLanes; }
  BS_DEVICE static int state(int i) { return (i / 4 * kLanes + lane()) * 4 + i % 4; }

  /// This thread's numbers of a row of kStates.
  BS_DEVICE static void read(const float* row, float (&x)[kEach]) {
    BS_UNROLL
    for (int i = 0; i < kEach; i += 4) {
      const auto four = *reinterpret_cast<const cuda::Four*>(row + state(i));
      BS_UNROLL
      for (int k = 0; k < 4; ++k) x[i + k] = four.x[k];
    }
  }
};

}  // namespace bench::scan
