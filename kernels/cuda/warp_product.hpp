// SPDX-License-Identifier: Apache-2.0
// Products of tiles in shared memory (swizzle.hpp) by one warp on tensor cores (ldmatrix, mma.m16n8k16): c (32 x kN) = or += a (32 x kK) b (kK x kN).
//
// Either operand lies as it is used, rows along the other one's outside, or transposed, rows along the contraction: then ldmatrix transposes it.
// So of a tile that lies once in shared memory both products with it and with its transpose are taken.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::cuda {

/// Which of a tile's elements a lane has in its accumulators: of the 32 rows of its warp, rows l / 4 + 8 half of each 16, columns 2 (l mod 4) and
/// the next one of every eight.
template <class M>
struct WarpTile {
  int row0, column0;

  /// Warp `thread` / 32 of a block whose warps cut a tile into 32 rows by `columns`, `along_rows` of them below each other.
  BS_DEVICE WarpTile(int thread, int along_rows, int columns)
      : row0(thread / 32 % along_rows * 32 + thread % 32 / 4), column0(thread / 32 / along_rows * columns + thread % 4 * 2) {}
  BS_DEVICE int row(int m, int half) const { return row0 + m * 16 + half * 8; }
  BS_DEVICE int column(int n) const { return column0 + n * 8; }
};

/// Columns 8 n .. 8 n + 7 of an accumulator.
template <int kCount>
BS_DEVICE float (&eight(float (&accumulator)[kCount], int n))[4] {
  return *reinterpret_cast<float(*)[4]>(&accumulator[n * 4]);
}

/// An operand in a tile of kRows rows, from its element (outer0, 0) on; outer0 a multiple of as many columns or rows as the warp takes.
template <class M, int kRows, bool kTransposed>
class Operand {
 public:
  static BS_DEVICE Operand left(std::uint32_t tile, int outer0) { return kTransposed ? by_chunks(tile, 0, outer0) : by_rows(tile, outer0, 0); }
  static BS_DEVICE Operand right(std::uint32_t tile, int outer0) { return kTransposed ? by_rows(tile, 0, outer0) : by_chunks(tile, outer0, 0); }

  /// 16 x 16 elements, piece `outer` of the outside and `inner` of the contraction.
  BS_DEVICE void load(std::uint32_t (&piece)[4], int outer, int inner) const {
    constexpr int kSixteenRows = 16 * kPageChunks * kChunkBytes;
    if constexpr (kTransposed)
      M::load_matrix_transposed(piece, moved_by_pairs(at_, outer, kRows) + inner * kSixteenRows);
    else
      M::load_matrix(piece, moved_by_pairs(at_, inner, kRows) + outer * kSixteenRows);
  }

 private:
  BS_DEVICE explicit Operand(std::uint32_t at) : at_(at) {}
  /// The second and third of ldmatrix's four matrices lie below each other ...
  static BS_DEVICE Operand by_rows(std::uint32_t tile, int row, int column) {
    const int lane = M::thread() % 32;
    return Operand(tile + swizzled(row + lane % 16, column / kChunkElements + lane / 16, kRows));
  }
  /// ... or beside each other.
  static BS_DEVICE Operand by_chunks(std::uint32_t tile, int row, int column) {
    const int lane = M::thread() % 32;
    return Operand(tile + swizzled(row + lane % 8 + lane / 16 * 8, column / kChunkElements + lane / 8 % 2, kRows));
  }

  std::uint32_t at_;
};

/// kAtOnce times 16 of K at a time: with more, operands that wait for their turn fill registers.
template <class M, class T, int kK, int kAtOnce, int kCount, class Left, class Right>
BS_DEVICE void add_product(float (&c)[2][kCount], const Left& left, const Right& right) {
  BS_UNROLL_BY(kAtOnce)
  for (int k = 0; k < kK / 16; ++k) {
    std::uint32_t a[2][4];
    left.load(a[0], 0, k);
    left.load(a[1], 1, k);
    BS_UNROLL
    for (int n = 0; n < kCount / 8; ++n) {
      std::uint32_t b[4];
      right.load(b, n, k);
      BS_UNROLL
      for (int m = 0; m < 2; ++m) {
        M::template multiply_add<T>(eight(c[m], 2 * n), a[m], b[0], b[1]);
        M::template multiply_add<T>(eight(c[m], 2 * n + 1), a[m], b[2], b[3]);
      }
    }
  }
}

template <int kCount>
BS_DEVICE void clear(float (&c)[2][kCount]) {
  BS_UNROLL
  for (int i = 0; i < 2 * kCount; ++i) c[i / kCount][i % kCount] = 0.0F;
}

/// Accumulators i and i + 1 of the upper or lower 16 rows into a tile of kRows rows of T, rounded.
template <class M, class T, int kRows>
BS_DEVICE void store_pair(std::uint32_t tile, const WarpTile<M>& mine, int m, int i, float low, float high) {
  const std::uint32_t at = tile + swizzled(mine.row0, mine.column0 / kChunkElements, kRows) + static_cast<std::uint32_t>(mine.column0 % kChunkElements * 2);
  M::store_word(moved_by_chunks(at, i / 4, kRows) + (m * 16 + i % 4 / 2 * 8) * kPageChunks * kChunkBytes, M::template pack<T>(low, high));
}
template <class M, class T, int kRows, int kCount>
BS_DEVICE void store_tile(std::uint32_t tile, const WarpTile<M>& mine, const float (&c)[2][kCount]) {
  BS_UNROLL
  for (int i = 0; i < 2 * kCount; i += 2) store_pair<M, T, kRows>(tile, mine, i / kCount, i % kCount, c[i / kCount][i % kCount], c[i / kCount][i % kCount + 1]);
}

}  // namespace bench::cuda
