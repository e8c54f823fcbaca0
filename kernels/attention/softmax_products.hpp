// SPDX-License-Identifier: Apache-2.0
// The two products of attention by mma.sync, from swizzled tiles in shared memory into SoftmaxRegisters: a warp's rows against the keys of a tile.
#pragma once

#include <cstdint>

#include "kernels/attention/softmax_registers.hpp"
#include "kernels/cuda/swizzle.hpp"
#include "kernels/cuda/warp_product.hpp"

namespace bench::attention {

/// Rows of a swizzled tile of `height` rows from row `first` on, a multiple of 8.
struct SharedRows {
  std::uint32_t tile;
  int height, first;
  BS_DEVICE std::uint32_t at(int row, int chunk) const { return tile + cuda::swizzled(first + row, chunk, height); }
};

inline constexpr std::uint32_t kSixteenRows = 16 * cuda::kPageChunks * cuda::kChunkBytes;  // from a page's rows to those 16 below

using cuda::eight;

/// scores = Q K^T, unscaled.
template <class M, class T, int kTiles, int kKeys, int kDim>
BS_DEVICE void score(SoftmaxRegisters<M, T, kTiles, kKeys, kDim>& rows, const SharedRows& queries, const SharedRows& keys) {
  BS_UNROLL
  for (int tile = 0; tile < kTiles; ++tile) {
    BS_UNROLL
    for (int i = 0; i < kKeys / 2; ++i) rows.scores[tile][i] = 0.0F;
  }
  const int lane = M::thread() % 32;
  const std::uint32_t q_at = queries.at(lane % 16, lane / 16), k_at = keys.at(lane % 8 + lane / 16 * 8, lane / 8 % 2);
  BS_UNROLL
  for (int d = 0; d < kDim / 16; ++d) {
    std::uint32_t q[kTiles][4];
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) M::load_matrix(q[tile], cuda::moved_by_pairs(q_at, d, queries.height) + tile * kSixteenRows);
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) {
      std::uint32_t k[4];  // keys 16 n .. + 7, columns 16 d .. + 7 and + 8 .. + 15; then the next eight keys
      M::load_matrix(k, cuda::moved_by_pairs(k_at, d, keys.height) + n * kSixteenRows);
      BS_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) {
        M::template multiply_add<T>(eight(rows.scores[tile], 2 * n), q[tile], k[0], k[1]);
        M::template multiply_add<T>(eight(rows.scores[tile], 2 * n + 1), q[tile], k[2], k[3]);
      }
    }
  }
}

/// out += P V.
template <class M, class T, int kTiles, int kKeys, int kDim>
BS_DEVICE void weigh(SoftmaxRegisters<M, T, kTiles, kKeys, kDim>& rows, const SharedRows& values) {
  const int lane = M::thread() % 32;
  const std::uint32_t v_at = values.at(lane % 16, lane / 16);
  BS_UNROLL
  for (int n = 0; n < kKeys / 16; ++n) {
    std::uint32_t p[kTiles][4];
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) rows.weights(tile, n, p[tile]);
    BS_UNROLL
    for (int d = 0; d < kDim / 16; ++d) {
      std::uint32_t v[4];  // columns 16 d .. + 7 of keys 16 n .. + 7 and + 8 .. + 15; then the next eight columns
      M::load_matrix_transposed(v, cuda::moved_by_pairs(v_at, d, values.height) + n * kSixteenRows);
      BS_UNROLL
      for (int tile = 0; tile < kTiles; ++tile) {
        M::template multiply_add<T>(eight(rows.out[tile], 2 * d), p[tile], v[0], v[1]);
        M::template multiply_add<T>(eight(rows.out[tile], 2 * d + 1), p[tile], v[2], v[3]);
      }
    }
  }
}

}  // namespace bench::attention
