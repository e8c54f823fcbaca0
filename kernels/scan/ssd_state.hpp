// SPDX-License-Identifier: Apache-2.0
// A head's state in the accumulators of a block, and what a chunk adds to it: sum_j (w_j x_j) B_j^T by mma.m16n8k16.
//
// The state is an output of its own (h_last) in fp32, and all later steps rest upon it. B and x are numbers of T already; w_j x_j is not, and rounded to 16 bits it would
// cost 2^-9 of every addend. So it is cut into two numbers of T, high and low (2^-17), and multiplied twice.
#pragma once

#include <cstdint>

#include "kernels/cuda/warp_product.hpp"
#include "kernels/scan/ssd_steps.hpp"

namespace bench::scan {

/// Two numbers as `high` and what that leaves over.
template <class M, class T>
struct TwoWords {
  std::uint32_t high, low;
  BS_DEVICE TwoWords(float x, float y) {
    high = M::template pack<T>(x, y);
    low = M::template pack<T>(x - M::template low<T>(high), y - M::template high<T>(high));
  }
};

/// A head's part of a tensor (P, N) in fp32 into a tile of kElements x kStates of T, rounded; zeros behind its ends. By all threads of a block.
template <class M, class T, int kThreads, int kElements, int kStates>
BS_DEVICE void round_states(std::uint32_t tile, const float* from, int elements, int states) {
  constexpr int kPairs = kStates / 2;
  BS_UNROLL_BY(8)
  for (int i = M::thread(); i < kElements * kPairs; i += kThreads) {
    const int row = i / kPairs, column = i % kPairs * 2;
    const bool there = row < elements && column < states;
    const auto two = *reinterpret_cast<const TwoFloats*>(from + (there ? static_cast<std::int64_t>(row) * states + column : 0));
    M::store_word(tile + cuda::swizzled(row, column / cuda::kChunkElements, kElements) + column % cuda::kChunkElements * 2, there ? M::template pack<T>(two.x, two.y) : 0U);
  }
}

/// Blocks of kThreads threads; elements and states behind the head's are 0.
template <class M, class T, int kThreads, int kSteps, int kElements, int kStates>
class SsdState {
 public:
  static constexpr int kAlongRows = kElements / 32, kColumns = kStates / (kThreads / 32 / kAlongRows);
  static_assert(kColumns % 16 == 0, "a warp takes whole operands");

  BS_DEVICE SsdState() : mine_(M::thread(), kAlongRows, kColumns) { cuda::clear(sum_); }

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

  /// Rounded into a tile of kElements x kStates.
  BS_DEVICE void round_to(std::uint32_t tile) const { cuda::store_tile<M, T, kElements>(tile, mine_, sum_); }

  BS_DEVICE void decay(float left) {
    BS_UNROLL
    for (int i = 0; i < 2 * kCount; ++i) sum_[i / kCount][i % kCount] = left == 0.0F ? 0.0F : sum_[i / kCount][i % kCount] * left;
  }

  /// `weights` (kSteps) in shared memory; tiles x (kSteps x 64) and b (kSteps x kStates). `gate`: a tile like x whose silu x is multiplied by, or 0.
  BS_DEVICE void add(std::uint32_t x, std::uint32_t b, const float* weights, std::uint32_t gate = 0) {
    const int lane = M::thread() % 32;
    const auto left = cuda::Operand<M, kSteps, true>::left(x, mine_.row0 / 32 * 32);
    const auto gates = cuda::Operand<M, kSteps, true>::left(gate, mine_.row0 / 32 * 32);
    const auto right = cuda::Operand<M, kSteps, true>::right(b, mine_.column0 / kColumns * kColumns);
    BS_NO_UNROLL
    for (int k = 0; k < kSteps / 16; ++k) {
      const float* const w = weights + k * 16 + lane % 4 * 2;
      const float scale[4] = {w[0], w[1], w[8], w[9]};
      std::uint32_t high[2][4], low[2][4];
      BS_UNROLL
      for (int m = 0; m < 2; ++m) {
        std::uint32_t piece[4];
        left.load(piece, m, k);
        std::uint32_t z[4] = {};
        if (gate != 0) gates.load(z, m, k);
        BS_UNROLL
        for (int i = 0; i < 4; ++i) {
          float first = M::template low<T>(piece[i]) * scale[i / 2 * 2], second = M::template high<T>(piece[i]) * scale[i / 2 * 2 + 1];
          if (gate != 0) {
            first *= cuda::silu<M>(M::template low<T>(z[i]));
            second *= cuda::silu<M>(M::template high<T>(z[i]));
          }
          const TwoWords<M, T> two(first, second);
          high[m][i] = two.high;
          low[m][i] = two.low;
        }
      }
      BS_UNROLL
      for (int n = 0; n < kColumns / 16; ++n) {
        std::uint32_t piece[4];
        right.load(piece, n, k);
        BS_UNROLL
        for (int m = 0; m < 2; ++m) {
          M::template multiply_add<T>(cuda::eight(sum_[m], 2 * n), high[m], piece[0], piece[1]);
          M::template multiply_add<T>(cuda::eight(sum_[m], 2 * n + 1), high[m], piece[2], piece[3]);
          M::template multiply_add<T>(cuda::eight(sum_[m], 2 * n), low[m], piece[0], piece[1]);
          M::template multiply_add<T>(cuda::eight(sum_[m], 2 * n + 1), low[m], piece[2], piece[3]);
        }
      }
    }
  }

 private:
  static constexpr int kCount = kColumns / 2;  // accumulators of 16 rows

  template <class F>
  BS_DEVICE void for_each_pair(int elements, int states, F&& f) {
    BS_UNROLL
    for (int i = 0; i < 2 * kCount; i += 2) {
      const int row = mine_.row(i / kCount, i % 4 / 2), column = mine_.column(i % kCount / 4);
      if (row < elements && column < states) f(static_cast<std::int64_t>(row) * states + column, sum_[i / kCount][i % kCount], sum_[i / kCount][i % kCount + 1]);
    }
  }

  cuda::WarpTile<M> mine_;
  float sum_[2][kCount];
};

}  // namespace bench::scan
