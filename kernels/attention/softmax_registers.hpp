// SPDX-License-Identifier: Apache-2.0
// The rows of a query block as one lane of a warp holds them in the accumulators of a tensor core: scores, output, maximum and sum, and
// what an online softmax does with them. Shared by the mma.sync and the wgmma kernel, whose accumulators are laid out alike: of a tile of 16 rows
// lane l has rows l / 4 and l / 4 + 8, and of every eight columns the two from 2 (l mod 4) on.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/attention/key_blocks.hpp"
#include "kernels/attention/softcap.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/cuda/function.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::attention {

/// kTiles tiles of 16 rows, `kTileRows` rows apart, with kKeys scores and kDim outputs a row.
template <class M, class T, int kTiles, int kKeys, int kDim>
struct SoftmaxRegisters {
  static constexpr float kNothing = -INFINITY;

  float scores[kTiles][kKeys / 2];  // [columns / 8][row half][2]
  float out[kTiles][kDim / 2];
  float most[kTiles][2], sum[kTiles][2];  // of raw scores; sums of this lane's own columns only, until the end
  int first_row;                          // of tile 0, in the sequence

  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE int row(int tile, int half) const { return first_row + tile * 16 + half * 8 + lane() / 4; }
  BS_DEVICE static int column(int n) { return n * 8 + lane() % 4 * 2; }

  BS_DEVICE void clear(int row0) {
    first_row = row0;
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        most[tile][half] = kNothing;
        sum[tile][half] = 0.0F;
      }
      BS_UNROLL
      for (int i = 0; i < kDim / 2; ++i) out[tile][i] = 0.0F;
    }
  }

  /// Raw scores s become limit tanh(s / limit).
  BS_DEVICE void cap(float limit) {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int i = 0; i < kKeys / 2; ++i) scores[tile][i] = capped<M>(scores[tile][i], limit);
    }
  }

  /// Minus infinity where a row does not see a key; keys from key0 on.
  BS_DEVICE void hide(const RowMask& mask, int key0) {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int first = mask.first(row(tile, half)) - key0, end = mask.end(row(tile, half)) - key0;
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) {
          BS_UNROLL
          for (int i = 0; i < 2; ++i)
            if (column(n) + i < first || column(n) + i >= end) scores[tile][n * 4 + half * 2 + i] = kNothing;
        }
      }
    }
  }

  /// Scores become weights 2^(c (s - max)), c = scale_log2, sums follow the new maximum; `shrink` is what the output has to be multiplied by.
  BS_DEVICE void soften(float scale_log2, float (&shrink)[kTiles][2]) {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        float highest = most[tile][half];
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) highest = fmaxf(highest, fmaxf(scores[tile][n * 4 + half * 2], scores[tile][n * 4 + half * 2 + 1]));
        highest = fmaxf(highest, M::shuffle_xor(highest, 1));
        highest = fmaxf(highest, M::shuffle_xor(highest, 2));
        const float shift = highest == kNothing ? 0.0F : highest * scale_log2;  // a row that has seen no key yet
        shrink[tile][half] = M::exp2(most[tile][half] * scale_log2 - shift);
        most[tile][half] = highest;
        float total = sum[tile][half] * shrink[tile][half];
        BS_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) {
          BS_UNROLL
          for (int i = n * 4 + half * 2; i < n * 4 + half * 2 + 2; ++i) {
            scores[tile][i] = M::exp2(scores[tile][i] * scale_log2 - shift);
            total += scores[tile][i];
          }
        }
        sum[tile][half] = total;
      }
    }
  }

  BS_DEVICE void shrink_output(const float (&shrink)[kTiles][2]) {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int i = 0; i < kDim / 2; ++i) out[tile][i] *= shrink[tile][i % 4 / 2];
    }
  }

  /// Weights of keys 16 n .. 16 n + 15 as the left operand of a product: two neighbouring 8-column accumulators, rounded to 16 bits.
  BS_DEVICE void weights(int tile, int n, std::uint32_t (&p)[4]) const {
    BS_UNROLL
    for (int i = 0; i < 4; ++i) p[i] = M::template pack<T>(scores[tile][n * 8 + i * 2], scores[tile][n * 8 + i * 2 + 1]);
  }

  /// What is left to do of a row: its output is multiplied by `share`; lse is its own.
  struct Ending {
    float share, lse;
  };
  BS_DEVICE Ending ending(int tile, int half, float scale_log2) const {
    float total = sum[tile][half];
    total += M::shuffle_xor(total, 1);
    total += M::shuffle_xor(total, 2);
    if (!(total > 0.0F)) return {0.0F, kNothing};
    return {1.0F / total, most[tile][half] * scale_log2 * static_cast<float>(kLn2) + M::log(total)};
  }

  /// Rows below L: out (L, D) in T and lse (L), both of this head.
  BS_DEVICE void finish(float scale_log2, int seq, int head_dim, T* head_out, float* head_lse) const {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        const Ending end = ending(tile, half, scale_log2);
        const int at = row(tile, half);
        if (at >= seq) continue;
        T* const to = head_out + static_cast<std::int64_t>(at) * head_dim;
        BS_UNROLL
        for (int n = 0; n < kDim / 8; ++n)
          if (column(n) < head_dim)
            *reinterpret_cast<std::uint32_t*>(to + column(n)) =
                M::template pack<T>(out[tile][n * 4 + half * 2] * end.share, out[tile][n * 4 + half * 2 + 1] * end.share);
        if (lane() % 4 == 0) head_lse[at] = end.lse;
      }
    }
  }

  /// The same, but the output of a warp's 16 rows goes into its part of a swizzled tile of 64 rows in shared memory (kTiles = 1).
  BS_DEVICE void finish_in_tile(float scale_log2, int seq, std::uint32_t out_tile, float* head_lse) const {
    static_assert(kTiles == 1);
    const Ending ends[2] = {ending(0, 0, scale_log2), ending(0, 1, scale_log2)};
    BS_UNROLL
    for (int half = 0; half < 2; ++half)
      if (lane() % 4 == 0 && row(0, half) < seq) head_lse[row(0, half)] = ends[half].lse;
    // Matrices of store_matrix: rows 0 to 7, 8 to 15, and both of the next eight columns.
    const std::uint32_t to = out_tile + cuda::swizzled(M::thread() % 128 / 32 * 16 + lane() % 16, lane() / 16, 64);
    BS_UNROLL
    for (int n = 0; n < kDim / 16; ++n) {
      std::uint32_t words[4];
      BS_UNROLL
      for (int i = 0; i < 4; ++i) words[i] = M::template pack<T>(out[0][n * 8 + i * 2] * ends[i % 2].share, out[0][n * 8 + i * 2 + 1] * ends[i % 2].share);
      M::store_matrix(cuda::moved_by_pairs(to, n, 64), words);
    }
  }
};

}  // namespace bench::attention
