// SPDX-License-Identifier: Apache-2.0
// Where the main kernel of the ssd op's backward pass has a chunk in shared memory, and how tiles come there.
//
// Gradients are outputs in fp32, so an operand that is no number of T goes in as two of them, high and low: the ungated dout, where there is a gate, and the
// states (ssd_state.hpp says what that is worth).
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_fetch.hpp"
#include "kernels/scan/ssd_bwd_job.hpp"
#include "kernels/scan/ssd_state.hpp"

namespace bench::scan {

/// C, B (kSteps x kStates), x, dY and what dY leaves over (kSteps x 64), a state and what it leaves over (64 x kStates).
struct SsdBwdTiles {
  std::uint32_t c, b, x, dy, dy_low, h, h_low;
};

/// Numbers of a chunk's steps, behind the decays.
template <int kSteps>
struct SsdBwdNumbers {
  static constexpr int kSixteens = kSteps / kSixteen;
  static constexpr int kFloats = (5 + kSixteens) * kSteps + 4;
  float* base;

  BS_DEVICE float& from_before(int t) const { return base[t]; }            // dY_t . (what the state before the chunk gives to Y_t)
  BS_DEVICE float& to_after(int t) const { return base[kSteps + t]; }      // x_t . (what the gradient behind the chunk gives to x_t), d_t left out
  BS_DEVICE float& to_steps(int t) const { return base[2 * kSteps + t]; }  // the same of the chunk's own steps from t on
  BS_DEVICE float& to_later(int t) const { return base[3 * kSteps + t]; }  // and of those behind t
  BS_DEVICE float& skip(int t) const { return base[4 * kSteps + t]; }      // dY_t . x_t
  BS_DEVICE float& dot(int warp) const { return base[5 * kSteps + warp]; }  // state before . gradient behind, a warp's part
  /// What steps of sixteen number k before t give to dY_t . Y_t.
  BS_DEVICE float& from_sixteen(int k, int t) const { return base[5 * kSteps + 4 + k * kSteps + t]; }
};

/// dout and z become dY = dout silu(z) and what it leaves over, in place. By all threads of a block.
template <class M, class T, int kThreads, int kSteps>
BS_DEVICE void ungate(const SsdBwdTiles& tiles) {
  for (int i = M::thread(); i < kSteps * cuda::kPageColumns / 2; i += kThreads) {  // swizzled alike: words meet their own
    const std::uint32_t dout = M::load_word(tiles.dy + i * 4), z = M::load_word(tiles.dy_low + i * 4);
    const TwoWords<M, T> dy(M::template low<T>(dout) * cuda::silu<M>(M::template low<T>(z)), M::template high<T>(dout) * cuda::silu<M>(M::template high<T>(z)));
    M::store_word(tiles.dy + i * 4, dy.high);
    M::store_word(tiles.dy_low + i * 4, dy.low);
  }
}

/// A head's part of a tensor (P, N) in fp32 into two tiles of kElements x kStates; zeros behind its ends. Returns this thread's part of its product with
/// `other`, which lies alike, or may be null. By all threads of a block.
template <class M, class T, int kThreads, int kElements, int kStates>
BS_DEVICE float split_states(const SsdBwdTiles& tiles, const float* from, const float* other, int elements, int states) {
  constexpr int kPairs = kStates / 2;
  float dot = 0.0F;
  BS_UNROLL_BY(4)
  for (int i = M::thread(); i < kElements * kPairs; i += kThreads) {
    const int row = i / kPairs, column = i % kPairs * 2;
    const bool there = row < elements && column < states;
    const std::int64_t at = there ? static_cast<std::int64_t>(row) * states + column : 0;
    const auto pair = *reinterpret_cast<const TwoFloats*>(from + at);
    if (other != nullptr && there) {
      const auto with = *reinterpret_cast<const TwoFloats*>(other + at);
      dot += pair.x * with.x + pair.y * with.y;
    }
    const TwoWords<M, T> two(there ? pair.x : 0.0F, there ? pair.y : 0.0F);
    const std::uint32_t to = cuda::swizzled(row, column / cuda::kChunkElements, kElements) + column % cuda::kChunkElements * 2;
    M::store_word(tiles.h + to, two.high);
    M::store_word(tiles.h_low + to, two.low);
  }
  return dot;
}

/// Row `row` of a tile of kRows rows times the accumulators that a lane has of it, over the four lanes that share it.
template <class M, class T, int kRows, int kCount>
BS_DEVICE float row_product(std::uint32_t tile, int row, int half, const float (&sum)[kCount][4]) {
  float total = 0.0F;
  BS_UNROLL
  for (int n = 0; n < kCount; ++n) {
    const std::uint32_t word = M::load_word(tile + cuda::swizzled(row, n, kRows) + M::thread() % 4 * 4);
    total += sum[n][half * 2] * M::template low<T>(word) + sum[n][half * 2 + 1] * M::template high<T>(word);
  }
  total += M::shuffle_xor(total, 1);
  return total + M::shuffle_xor(total, 2);
}

/// Sum of a number over the four lanes that share a row.
template <class M>
BS_DEVICE float across_row(float x) {
  x += M::shuffle_xor(x, 1);
  return x + M::shuffle_xor(x, 2);
}

/// sum (16 rows x 8 kCount) += left, in kSplit parts (high; or high and low), times one piece of 16 of the contraction for every sixteen columns.
template <class M, class T, int kCount, class Right>
BS_DEVICE void multiply_piece(float (&sum)[kCount][4], const std::uint32_t (&left)[4], const Right& right, int inner) {
  BS_UNROLL
  for (int n = 0; n < kCount / 2; ++n) {
    std::uint32_t piece[4];
    right.load(piece, n, inner);
    M::template multiply_add<T>(sum[2 * n], left, piece[0], piece[1]);
    M::template multiply_add<T>(sum[2 * n + 1], left, piece[2], piece[3]);
  }
}
/// The same with a left operand in two parts.
template <class M, class T, int kCount, class Right>
BS_DEVICE void multiply_piece(float (&sum)[kCount][4], const std::uint32_t (&high)[4], const std::uint32_t (&low)[4], const Right& right, int inner) {
  BS_UNROLL
  for (int n = 0; n < kCount / 2; ++n) {
    std::uint32_t piece[4];
    right.load(piece, n, inner);
    M::template multiply_add<T>(sum[2 * n], high, piece[0], piece[1]);
    M::template multiply_add<T>(sum[2 * n + 1], high, piece[2], piece[3]);
    M::template multiply_add<T>(sum[2 * n], low, piece[0], piece[1]);
    M::template multiply_add<T>(sum[2 * n + 1], low, piece[2], piece[3]);
  }
}

/// Accumulators of a row and its sixteen columns as the left operand of a product, in two parts.
template <class M, class T>
BS_DEVICE void split_pairs(const float (&w)[2][4], std::uint32_t (&high)[4], std::uint32_t (&low)[4]) {
  BS_UNROLL
  for (int i = 0; i < 4; ++i) {
    const TwoWords<M, T> two(w[i / 2][i % 2 * 2], w[i / 2][i % 2 * 2 + 1]);
    high[i] = two.high;
    low[i] = two.low;
  }
}

template <int kCount>
BS_DEVICE void clear_rows(float (&sum)[kCount][4]) {
  BS_UNROLL
  for (int i = 0; i < kCount * 4; ++i) sum[i / 4][i % 4] = 0.0F;
}
/// Rows times a number each, or nothing where it is 0.
template <int kCount>
BS_DEVICE void scale_rows(float (&sum)[kCount][4], const float (&by)[2]) {
  BS_UNROLL
  for (int i = 0; i < kCount * 4; ++i) sum[i / 4][i % 4] = by[i % 4 / 2] == 0.0F ? 0.0F : sum[i / 4][i % 4] * by[i % 4 / 2];
}

}  // namespace bench::scan
