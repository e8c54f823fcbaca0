// SPDX-License-Identifier: Apache-2.0
// The output of 16 steps of a chunk by one warp on tensor cores (mma.m16n8k16), from tiles in shared memory.
//
// C's 16 rows stay in registers. With S_i the sum of the log decays: Y = exp(S_i) C h^T of the state before the chunk, then, 32 steps at a time from the
// diagonal to the chunk's beginning, C B^T, exp(S_i - S_j) d_j upon it in registers (ssd_steps.hpp), and that, rounded to T, times x. Steps that lie
// behind are never multiplied.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/swizzle.hpp"
#include "kernels/cuda/warp_product.hpp"
#include "kernels/scan/ssd_steps.hpp"

namespace bench::scan {

/// A chunk's tiles: C, B (kSteps x kStates), x (kSteps x 64) and h (kElements x kStates).
struct SsdTiles {
  std::uint32_t c, b, x, h;
};

/// What a lane's numbers of 16 x 16 pairs (step i of the rows, step j of the columns) are multiplied by: exp(S_i - S_j) d_j, nothing where i does not depend on
/// j. Columns come from the diagonal to the chunk's beginning. A lane has in `low` columns 2 (l mod 4) and the next one, in `high` those 8 further.
template <class M, int kSteps>
class SsdWeights {
 public:
  BS_DEVICE SsdWeights(const SsdScales<kSteps>& scales, int sixteen) : scales_(scales), sixteen_(sixteen), packed_(scales.packed() != 0.0F), between_(0.0F) {
    BS_UNROLL
    for (int half = 0; half < 2; ++half) own_[half] = scales.within(step(half));
  }
  BS_DEVICE int step(int half) const { return sixteen_ * kSixteen + half * 8 + M::thread() % 32 / 4; }
  BS_DEVICE static int column(int sixteen, int i) { return sixteen * kSixteen + i / 2 * 8 + M::thread() % 4 * 2 + i % 2; }

  /// A sixteen before the rows'; the next one to come is that before it.
  BS_DEVICE void before(int other, float (&low)[4], float (&high)[4]) {
    const float to[2] = {own_[0] + between_, own_[1] + between_};
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int j = column(other, i);
      const float from = scales_.behind(j);
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        float& w = (i < 2 ? low : high)[half * 2 + i % 2];
        w *= M::exp2(to[half] + from);
        if (packed_) w = static_cast<float>(j) >= scales_.origin(step(half)) ? w : 0.0F;
      }
    }
    between_ += scales_.sixteen(other);
  }

  /// The sixteen of the rows themselves, or the one behind it, of which nothing counts.
  BS_DEVICE void diagonal(int other, float (&low)[4], float (&high)[4]) const {
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int j = column(other, i);
      const float at = scales_.within(j), log_step = scales_.log_step(j);
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        float& w = (i < 2 ? low : high)[half * 2 + i % 2];
        const bool seen = j <= step(half) && static_cast<float>(j) >= scales_.origin(step(half));
        w = seen ? w * M::exp2(fminf(own_[half] - at, 0.0F) + log_step) : 0.0F;
      }
    }
  }

 private:
  SsdScales<kSteps> scales_;
  int sixteen_;
  bool packed_;
  float own_[2], between_;  // between_: sum of log decays between the rows' sixteen and the next one to come
};

template <class M, class T, int kSteps, int kElements, int kStates>
class SsdRows {
 public:
  BS_DEVICE SsdRows(const SsdTiles& tiles, const SsdScales<kSteps>& scales, int sixteen) : tiles_(tiles), scales_(scales), sixteen_(sixteen), weights_(scales, sixteen) {
    const auto c = cuda::Operand<M, kSteps, false>::left(tiles.c, sixteen * kSixteen);
    BS_UNROLL
    for (int k = 0; k < kStates / 16; ++k) c.load(c_[k], 0, k);
  }

  BS_DEVICE void run() {
    from_the_state();
    add_steps<true>(sixteen_ / 2);
    BS_NO_UNROLL
    for (int pair = sixteen_ / 2 - 1; pair >= 0; --pair) add_steps<false>(pair);
  }

  /// Calls f(step, element, y, y of the next element) for what this lane has.
  template <class F>
  BS_DEVICE void for_each_pair(F&& f) const {
    const int element0 = M::fresh(lane() % 4 * 2);
    BS_UNROLL
    for (int half = 0; half < 2; ++half) {
      BS_UNROLL
      for (int n = 0; n < kElements / 8; ++n) f(step(half), n * 8 + element0, y_[n][half * 2], y_[n][half * 2 + 1]);
    }
  }

 private:
  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE int step(int half) const { return weights_.step(half); }

  BS_DEVICE void from_the_state() {
    BS_UNROLL
    for (int i = 0; i < kElements / 2; ++i) y_[i / 4][i % 4] = 0.0F;
    const auto h = cuda::Operand<M, kElements, false>::right(tiles_.h, 0);
    BS_UNROLL
    for (int k = 0; k < kStates / 16; ++k) {
      BS_UNROLL
      for (int n = 0; n < kElements / 16; ++n) {
        std::uint32_t piece[4];
        h.load(piece, n, k);
        M::template multiply_add<T>(y_[2 * n], c_[k], piece[0], piece[1]);
        M::template multiply_add<T>(y_[2 * n + 1], c_[k], piece[2], piece[3]);
      }
    }
    const float enter[2] = {scales_.enter(step(0)), scales_.enter(step(1))};
    BS_UNROLL
    for (int i = 0; i < kElements / 2; ++i) y_[i / 4][i % 4] = enter[i % 4 / 2] == 0.0F ? 0.0F : y_[i / 4][i % 4] * enter[i % 4 / 2];
  }

  /// Steps 32 pair .. 32 pair + 31.
  template <bool kDiagonal>
  BS_DEVICE void add_steps(int pair) {
    float cb[4][4];
    multiply(pair, cb);
    BS_UNROLL
    for (int second = 1; second >= 0; --second) {
      const int other = 2 * pair + second;
      if (kDiagonal && other >= sixteen_)
        weights_.diagonal(other, cb[2 * second], cb[2 * second + 1]);
      else
        weights_.before(other, cb[2 * second], cb[2 * second + 1]);
    }
    add_to_output(pair, cb);
  }

  BS_DEVICE void multiply(int pair, float (&cb)[4][4]) const {
    BS_UNROLL
    for (int i = 0; i < 16; ++i) cb[i / 4][i % 4] = 0.0F;
    const auto b = cuda::Operand<M, kSteps, false>::right(tiles_.b, 0);
    BS_UNROLL
    for (int k = 0; k < kStates / 16; ++k) {
      BS_UNROLL
      for (int n = 0; n < 2; ++n) {
        std::uint32_t piece[4];
        b.load(piece, 2 * pair + n, k);
        M::template multiply_add<T>(cb[2 * n], c_[k], piece[0], piece[1]);
        M::template multiply_add<T>(cb[2 * n + 1], c_[k], piece[2], piece[3]);
      }
    }
  }

  BS_DEVICE void add_to_output(int pair, const float (&w)[4][4]) {
    const auto x = cuda::Operand<M, kSteps, true>::right(tiles_.x, 0);
    BS_UNROLL
    for (int k = 0; k < 2; ++k) {
      std::uint32_t left[4];
      BS_UNROLL
      for (int i = 0; i < 4; ++i) left[i] = M::template pack<T>(w[2 * k + i / 2][i % 2 * 2], w[2 * k + i / 2][i % 2 * 2 + 1]);
      BS_UNROLL
      for (int n = 0; n < kElements / 16; ++n) {
        std::uint32_t piece[4];
        x.load(piece, n, 2 * pair + k);
        M::template multiply_add<T>(y_[2 * n], left, piece[0], piece[1]);
        M::template multiply_add<T>(y_[2 * n + 1], left, piece[2], piece[3]);
      }
    }
  }

  SsdTiles tiles_;
  SsdScales<kSteps> scales_;
  int sixteen_;
  SsdWeights<M, kSteps> weights_;
  std::uint32_t c_[kStates / 16][4];
  float y_[kElements / 8][4];
};

/// What is left to do of a row: D x upon it, the gate, and into memory. In a backward pass the gate's gradient, dout y silu'(z), instead.
template <class M, class T, int kSteps>
class SsdEnding {
 public:
  /// x: the chunk's tile, whose first step is t0.
  BS_DEVICE SsdEnding(const SsdJob& job, const SsdPlace& at, std::uint32_t x, int t0)
      : job_(job), at_(at), x_(x), t0_(t0), first_(at.of_heads(job, t0)), skip_(job.skip[at.head]) {}

  template <class Rows>
  BS_DEVICE void write(const Rows& rows) const {
    rows.for_each_pair([&](int step, int element, float low, float high) {
      if (t0_ + step >= job_.seq || element >= at_.elements) return;
      const std::uint32_t x = M::load_word(x_ + cuda::swizzled(step, element / cuda::kChunkElements, kSteps) + element % cuda::kChunkElements * 2);
      low += skip_ * M::template low<T>(x);
      high += skip_ * M::template high<T>(x);
      const std::int64_t to = first_ + static_cast<std::int64_t>(step) * job_.head_pitch() + element;
      if (job_.z != nullptr) {
        const std::uint32_t z = *reinterpret_cast<const std::uint32_t*>(static_cast<const T*>(job_.z) + to);
        gate(to, M::template low<T>(z), M::template high<T>(z), low, high);
      }
      *reinterpret_cast<std::uint32_t*>(static_cast<T*>(job_.out) + to) = M::template pack<T>(low, high);
    });
  }

 private:
  BS_DEVICE void gate(std::int64_t at, float z_low, float z_high, float& low, float& high) const {
    if (job_.dout == nullptr) {
      low *= cuda::silu<M>(z_low);
      high *= cuda::silu<M>(z_high);
      return;
    }
    const std::uint32_t dout = *reinterpret_cast<const std::uint32_t*>(static_cast<const T*>(job_.dout) + at);
    low *= M::template low<T>(dout) * cuda::silu_slope<M>(z_low);
    high *= M::template high<T>(dout) * cuda::silu_slope<M>(z_high);
  }

  const SsdJob& job_;
  const SsdPlace& at_;
  std::uint32_t x_;
  int t0_;
  std::int64_t first_;
  float skip_;
};

}  // namespace bench::scan
