// SPDX-License-Identifier: Apache-2.0
// What kernels on a device's ordinary lanes share: neighbours in memory that one instruction moves, 16-bit elements as fp32, sums over the lanes of a warp.
#pragma once

#include <type_traits>

#include "kernels/cuda/function.hpp"
#include "src/core/dtype.hpp"

namespace bench::cuda {

/// kCount neighbours in memory, aligned to all of them together.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Neighbours {
  T x[kCount];
};
using Four = Neighbours<float, 4>;

template <class M, class T>
BS_DEVICE float value(T x) {
  if constexpr (std::is_same_v<T, float>)
    return x;
  else
    return M::template low<T>(x.bits);
}

/// kCount neighbours as fp32.
template <class M, int kCount, class T>
BS_DEVICE void read(const T* from, float (&x)[kCount]) {
  const auto all = *reinterpret_cast<const Neighbours<T, kCount>*>(from);
  BS_UNROLL
  for (int i = 0; i < kCount; ++i) x[i] = value<M>(all.x[i]);
}
template <class M, int kCount, class T>
BS_DEVICE void write(T* to, const float (&x)[kCount]) {
  Neighbours<T, kCount> all;
  BS_UNROLL
  for (int i = 0; i < kCount; ++i) all.x[i] = M::template round<T>(x[i]);
  *reinterpret_cast<Neighbours<T, kCount>*>(to) = all;
}

/// How many sums sum_across() leaves to a lane.
template <int kCount, int kLanes>
inline constexpr int kSumsKept = kCount > kLanes ? kCount / kLanes : 1;

/// kCount sums, one for each place of x, over the kLanes lanes of a warp whose numbers differ in the bits kStride, 2 kStride, ... only. Each round
/// gives half of what is left away, so that it takes about kCount exchanges in all instead of kCount log2 kLanes. A lane is left with the sums
/// number i, i + 1, ... at x[0], x[1], ..., kSumsKept of them, where i is returned; with fewer sums than lanes, several lanes have the same one. Both counts
/// are powers of two. The order of additions is fixed.
template <class M, int kCount, int kLanes, int kStride, int kSize>
BS_DEVICE int sum_across(float (&x)[kSize]) {
  if constexpr (kLanes == 1) {
    return 0;
  } else if constexpr (kCount == 1) {
    x[0] += M::shuffle_xor(x[0], kStride);
    return sum_across<M, 1, kLanes / 2, kStride * 2>(x);
  } else {
    constexpr int kHalf = kCount / 2;
    const bool upper = (M::thread() & kStride) != 0;
    BS_UNROLL
    for (int i = 0; i < kHalf; ++i) {
      const float kept = upper ? x[i + kHalf] : x[i], given = upper ? x[i] : x[i + kHalf];
      x[i] = kept + M::shuffle_xor(given, kStride);
    }
    return (upper ? kHalf : 0) + sum_across<M, kHalf, kLanes / 2, kStride * 2>(x);
  }
}

}  // namespace bench::cuda
