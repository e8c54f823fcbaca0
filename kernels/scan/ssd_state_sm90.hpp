// SPDX-License-Identifier: Apache-2.0
// A part's state, 64 elements x kStates, in the accumulators of a warpgroup on Hopper, and what a chunk adds to it: sum_j (w_j x_j) B_j^T by wgmma, m64nNk16.
//
// The left operand comes from registers, where x is transposed (ldmatrix), multiplied by w_j and cut into two numbers of T, as in ssd_state.hpp and for its
// reason; the second half of the steps is made ready while the first is multiplied.
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_descriptor.hpp"
#include "kernels/scan/ssd_sm90_places.hpp"
#include "kernels/scan/ssd_state.hpp"

namespace bench::scan {

/// Elements and states behind the head's are 0.
template <class M, class T, int kStates>
class SsdStateSm90 {
 public:
  BS_DEVICE SsdStateSm90() {
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) sum_[i] = 0.0F;
  }

  /// From and to a head's part of a tensor (P, N) in fp32.
  BS_DEVICE void load(const float* from, int elements, int states) {
    for_each_pair(elements, states, [&](std::int64_t at, float& low, float& high) {
      const auto two = *reinterpret_cast<const TwoFloats*>(from + at);
      low = two.x;
      high = two.y;
    });
  }
  BS_DEVICE void store(float* to, int elements, int states) {
    for_each_pair(elements, states, [&](std::int64_t at, const float& low, const float& high) {
      *reinterpret_cast<TwoFloats*>(to + at) = {low, high};
    });
  }

  /// Rounded into a tile of kSm90Elements x kStates.
  BS_DEVICE void round_to(std::uint32_t tile) const {
    const std::uint32_t at = tile + cuda::swizzled(row0(), 0, kSm90Elements) + static_cast<std::uint32_t>(M::thread() % 4 * 4);
    BS_UNROLL
    for (int i = 0; i < kCount; i += 2)
      M::store_word(cuda::moved_by_chunks(at, i / 4, kSm90Elements) + i % 4 / 2 * 8 * cuda::kPageChunks * cuda::kChunkBytes, M::template pack<T>(sum_[i], sum_[i + 1]));
  }

  BS_DEVICE void decay(float left) {
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) sum_[i] = left == 0.0F ? 0.0F : sum_[i] * left;
  }

  /// `weights` (kSm90Steps) in shared memory; tiles x (kSm90Steps x 64) and b (kSm90Steps x kStates).
  BS_DEVICE void add(std::uint32_t x, std::uint32_t b, const float* weights) {
    const auto left = cuda::Operand<M, kSm90Steps, true>::left(x, M::thread() % 128 / 32 * 16);
    M::pin(sum_);
    BS_UNROLL
    for (int half = 0; half < 2; ++half) {
      std::uint32_t high[kSixteens][4], low[kSixteens][4];
      BS_UNROLL
      for (int k = 0; k < kSixteens; ++k) cut(left, half * kSixteens + k, weights, high[k], low[k]);
      M::product_fence();
      BS_UNROLL
      for (int k = 0; k < kSixteens; ++k) {
        const std::uint64_t right = cuda::rows_descriptor(b, kSm90Steps, half * kSixteens + k);
        M::template product<T>(sum_, high[k], right);
        M::template product<T>(sum_, low[k], right);
      }
      M::commit_products();
    }
    M::template wait_products<0>();
    M::pin(sum_);
  }

 private:
  static constexpr int kCount = kStates / 2, kSixteens = kSm90Half / kSixteen;

  /// Of 16 steps what this lane has of w x^T, as two numbers.
  BS_DEVICE static void cut(const cuda::Operand<M, kSm90Steps, true>& left, int sixteen, const float* weights, std::uint32_t (&high)[4], std::uint32_t (&low)[4]) {
    const float* const w = weights + sixteen * kSixteen + M::thread() % 4 * 2;
    const float scale[4] = {w[0], w[1], w[8], w[9]};
    std::uint32_t piece[4];
    left.load(piece, 0, sixteen);
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const TwoWords<M, T> two(M::template low<T>(piece[i]) * scale[i / 2 * 2], M::template high<T>(piece[i]) * scale[i / 2 * 2 + 1]);
      high[i] = two.high;
      low[i] = two.low;
    }
  }

  BS_DEVICE static int row0() { return M::thread() % 128 / 32 * 16 + M::thread() % 32 / 4; }

  template <class F>
  BS_DEVICE void for_each_pair(int elements, int states, F&& f) {
    BS_UNROLL
    for (int i = 0; i < kCount; i += 2) {
      const int row = row0() + i % 4 / 2 * 8, column = i / 4 * 8 + M::thread() % 4 * 2;
      if (row < elements && column < states) f(static_cast<std::int64_t>(row) * states + column, sum_[i], sum_[i + 1]);
    }
  }

  float sum_[kCount];
};

}  // namespace bench::scan
