// SPDX-License-Identifier: Apache-2.0
// Rows of x read and normalised by a block of a device's threads, whichever warps share a row; and a launch that does nothing else.
//
// Mean and variance in two passes over a row (the second out of cache), each warp's for itself, then merged in their order (Chan, Golub & LeVeque 1979): a sum of squares less
// the square of a sum would lose a deviation that is small against the mean, and so would a mean that is one rounded number.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/linear/finish.hpp"

namespace bench::linear {

template <class M, class T>
class NormedRow {
 public:
  /// A warp leaves: how many inputs, their mean as rounded, what deviations from that add up to, and their squares.
  static constexpr int kMomentFloats = 4;

  BS_DEVICE NormedRow(const T* row, int k) : row_(row), k_(k) {}

  /// Inputs k .. k + 7, k a multiple of 8; 0 behind the last.
  BS_DEVICE void read(float (&x)[8], int k) const {
    if (k + 8 <= k_ && k_ % (16 / static_cast<int>(sizeof(T))) == 0) return read_whole(x, row_ + k);
    BS_UNROLL
    for (int i = 0; i < 8; ++i) x[i] = k + i < k_ ? cuda::value<M>(row_[k + i]) : 0.0F;
  }

  /// Over a warp, all of whose lanes call this: of eight inputs of each `step` from a lane's `first` on.
  BS_DEVICE void leave_moments(float* to, int first, int step) const {
    float count = 0.0F, sum = 0.0F, rest = 0.0F, squares = 0.0F, x[8];
    for (int k = first; k < k_; k += step) {
      read(x, k);
      count += static_cast<float>(k + 8 <= k_ ? 8 : k_ - k);
      BS_UNROLL
      for (int i = 0; i < 8; ++i) sum += x[i];
    }
    count = over_warp(count);
    sum = over_warp(sum);
    const float mean = count > 0.0F ? sum / count : 0.0F;
    for (int k = first; k < k_; k += step) {
      read(x, k);
      BS_UNROLL
      for (int i = 0; i < 8; ++i) {
        const float off = k + i < k_ ? x[i] - mean : 0.0F;
        rest += off;
        squares += off * off;
      }
    }
    rest = over_warp(rest);
    squares = over_warp(squares);
    if (M::thread() % 32 > 0) return;
    to[0] = count, to[1] = mean, to[2] = rest, to[3] = squares;
  }

  /// x <- (x - mean - rest) scale, from the moments of so many warps that lie behind each other. The mean is the first warp's; how far the row's is from it
  /// is a number of its own, as it would be lost in the sum where the mean is large.
  struct Scaling {
    float mean = 0.0F, rest = 0.0F, scale = 1.0F;
  };
  BS_DEVICE Scaling scaling(const float* moments, int warps) const {
    const float each = 1.0F / static_cast<float>(k_);
    float rest = 0.0F, squares = 0.0F;
    for (int w = 0; w < warps; ++w) {
      const float* const of = moments + w * kMomentFloats;
      rest += (of[0] * (of[1] - moments[1]) + of[2]) * each;
    }
    for (int w = 0; w < warps; ++w) {
      const float* const of = moments + w * kMomentFloats;
      const float off = of[0] > 0.0F ? of[1] - moments[1] - rest : 0.0F;
      squares += of[3] + 2.0F * off * of[2] + of[0] * off * off;
    }
    return {moments[1], rest, 1.0F / sqrtf(squares * each + static_cast<float>(kNormEpsilon))};
  }

  /// As read(); what lies behind the last input stays 0.
  BS_DEVICE void read_scaled(float (&x)[8], int k, const Scaling& by) const {
    read(x, k);
    BS_UNROLL
    for (int i = 0; i < 8; ++i) x[i] = k + i < k_ ? (x[i] - by.mean - by.rest) * by.scale : 0.0F;
  }

 private:
  BS_DEVICE static void read_whole(float (&x)[8], const T* from) {
    constexpr int kEach = 16 / static_cast<int>(sizeof(T));
    BS_UNROLL
    for (int piece = 0; piece < 8 / kEach; ++piece) {
      const auto words = M::load16(from + piece * kEach);
      BS_UNROLL
      for (int i = 0; i < kEach; ++i) {
        const std::uint32_t word = words.word[i * 4 / kEach];
        if constexpr (kEach == 4)
          x[piece * kEach + i] = M::number(word);
        else
          x[i] = i % 2 == 0 ? M::template low<T>(word) : M::template high<T>(word);
      }
    }
  }
  BS_DEVICE static float over_warp(float x) {
    BS_UNROLL
    for (int lanes = 1; lanes < 32; lanes *= 2) x += M::shuffle_xor(x, lanes);
    return x;
  }

  const T* row_;
  int k_;
};

/// x (M, K) normalised, rounded to T as by a norm that stands alone.
struct NormRowsJob {
  const void* x;
  void* to;
  int m, k;
};

/// A row a block.
template <class M, class T>
struct NormRows {
  static constexpr int kThreads = 256, kWarps = kThreads / 32;
  static constexpr int kSharedBytes = kWarps * NormedRow<M, T>::kMomentFloats * 4;

  static BS_DEVICE void run(const NormRowsJob& job) {
    const std::int64_t first = static_cast<std::int64_t>(M::block()) * job.k;
    const NormedRow<M, T> row(static_cast<const T*>(job.x) + first, job.k);
    float* const moments = M::shared_floats();
    row.leave_moments(moments + M::thread() / 32 * NormedRow<M, T>::kMomentFloats, M::thread() * 8, kThreads * 8);
    M::sync();
    const auto by = row.scaling(moments, kWarps);
    T* const to = static_cast<T*>(job.to) + first;
    for (int k = M::thread() * 8; k < job.k; k += kThreads * 8) {
      float x[8];
      row.read_scaled(x, k, by);
      BS_UNROLL
      for (int i = 0; i < 8; ++i)
        if (k + i < job.k) to[k + i] = M::template round<T>(x[i]);
    }
  }
};

}  // namespace bench::linear
