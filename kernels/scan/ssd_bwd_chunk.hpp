// SPDX-License-Identifier: Apache-2.0
// A block's chunk in the main kernel of the ssd op's backward pass, as its warps see it: warp w has steps 16 w on, a lane rows l / 4 and l / 4 + 8 of them.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_bwd_tiles.hpp"
#include "kernels/scan/ssd_steps.hpp"

namespace bench::scan {

template <class M, int kStates>
struct SsdBwdChunk {
  static constexpr int kSteps = kSsdBwdSteps, kElements = kSsdBwdElements, kSixteens = kSteps / kSixteen;

  const SsdBwdJob& job;
  SsdBwdPlace place;
  SsdBwdTiles tiles;
  SsdScales<kSteps> scales;
  SsdBwdNumbers<kSteps> numbers;

  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int warp() { return M::thread() / 32; }
  BS_DEVICE static int step(int half) { return warp() * kSixteen + half * 8 + lane() / 4; }
  BS_DEVICE bool gated() const { return job.z != nullptr; }
  BS_DEVICE int first_step() const { return place.chunk * kSteps; }

  /// dB's or dC's 16 rows onto those of the block's earlier heads.
  BS_DEVICE void add_rows(float* sums, const float (&rows)[kStates / 8][4], bool first) const {
    float* const share = sums + place.share * job.mixers() + place.group * job.state;
    const int column0 = M::fresh(lane() % 4 * 2);  // thirty places that follow from it are not worth registers
    BS_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int t = first_step() + step(half);
      if (t >= job.seq) continue;
      float* const row = share + (static_cast<std::int64_t>(place.entry) * job.seq + t) * job.group_pitch();
      BS_UNROLL
      for (int n = 0; n < kStates / 8; ++n) {
        const int column = n * 8 + column0;
        if (column >= job.state) continue;
        TwoFloats* const to = reinterpret_cast<TwoFloats*>(row + column);
        TwoFloats sum{rows[n][half * 2], rows[n][half * 2 + 1]};
        if (!first) sum = {to->x + sum.x, to->y + sum.y};
        *to = sum;
      }
    }
  }
};

/// 16 x 16 pairs += left times a right operand of just these columns.
template <class M, class T, class Right>
BS_DEVICE void multiply_across(float (&pairs)[2][4], const std::uint32_t (&left)[4], const Right& right, int k) {
  std::uint32_t piece[4];
  right.load(piece, 0, k);
  M::template multiply_add<T>(pairs[0], left, piece[0], piece[1]);
  M::template multiply_add<T>(pairs[1], left, piece[2], piece[3]);
}

}  // namespace bench::scan
