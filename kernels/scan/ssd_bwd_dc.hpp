// SPDX-License-Identifier: Apache-2.0
// dC of 16 steps of a chunk by one warp (ssd_bwd_mma.hpp): exp(S_i) h^T dY_i + sum_{j <= i} L_ij d_j (dY_i . x_j) B_j, from the diagonal to the chunk's
// beginning. It leaves C_i . (the first term) and dY_i . x_i with the numbers.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scan/ssd_bwd_chunk.hpp"
#include "kernels/scan/ssd_rows.hpp"

namespace bench::scan {

/// dY_t . x_t of the warp's own steps.
template <class M, int kStates>
BS_DEVICE void leave_diagonal(const SsdBwdChunk<M, kStates>& chunk, const float (&g)[2][4]) {
  BS_UNROLL
  for (int i = 0; i < 8; ++i)
    if (SsdWeights<M, kSsdBwdSteps>::column(chunk.warp(), i / 4 * 2 + i % 2) == chunk.step(i % 4 / 2)) chunk.numbers.skip(chunk.step(i % 4 / 2)) = g[i / 4][i % 4];
}

template <class M, class T, int kStates>
BS_DEVICE void give_dc(const SsdBwdChunk<M, kStates>& chunk, bool first) {
  using Chunk = SsdBwdChunk<M, kStates>;
  constexpr int kSteps = Chunk::kSteps, kElements = Chunk::kElements;
  std::uint32_t dy[kElements / 16][4];
  const auto rows = cuda::Operand<M, kSteps, false>::left(chunk.tiles.dy, chunk.warp() * kSixteen), low_rows = cuda::Operand<M, kSteps, false>::left(chunk.tiles.dy_low, chunk.warp() * kSixteen);
  float sum[kStates / 8][4];
  clear_rows(sum);
  const auto h = cuda::Operand<M, kElements, true>::right(chunk.tiles.h, 0), h_low = cuda::Operand<M, kElements, true>::right(chunk.tiles.h_low, 0);
  BS_UNROLL
  for (int k = 0; k < kElements / 16; ++k) {
    rows.load(dy[k], 0, k);
    multiply_piece<M, T>(sum, dy[k], h, k);
    multiply_piece<M, T>(sum, dy[k], h_low, k);
    if (chunk.gated()) {
      std::uint32_t low[4];
      low_rows.load(low, 0, k);
      multiply_piece<M, T>(sum, low, h, k);
    }
  }
  const float enter[2] = {chunk.scales.enter(chunk.step(0)), chunk.scales.enter(chunk.step(1))};
  scale_rows(sum, enter);
  BS_UNROLL
  for (int half = 0; half < 2; ++half) {
    const float from_before = row_product<M, T, kSteps>(chunk.tiles.c, chunk.step(half), half, sum);
    if (chunk.lane() % 4 == 0) chunk.numbers.from_before(chunk.step(half)) = from_before;
  }
  SsdWeights<M, kSteps> weights(chunk.scales, chunk.warp());
  BS_NO_UNROLL
  for (int other = chunk.warp(); other >= 0; --other) {
    float g[2][4];
    clear_rows(g);
    const auto x = cuda::Operand<M, kSteps, false>::right(chunk.tiles.x, other * kSixteen);
    BS_UNROLL
    for (int k = 0; k < kElements / 16; ++k) {
      multiply_across<M, T>(g, dy[k], x, k);
      if (chunk.gated()) {
        std::uint32_t low[4];
        low_rows.load(low, 0, k);
        multiply_across<M, T>(g, low, x, k);
      }
    }
    if (other == chunk.warp()) {
      leave_diagonal(chunk, g);
      weights.diagonal(other, g[0], g[1]);
    } else {
      weights.before(other, g[0], g[1]);
    }
    std::uint32_t high[4], low[4];
    split_pairs<M, T>(g, high, low);
    multiply_piece<M, T>(sum, high, low, cuda::Operand<M, kSteps, true>::right(chunk.tiles.b, 0), other);
  }
  chunk.add_rows(chunk.job.dc_shares, sum, first);
}

}  // namespace bench::scan
