// SPDX-License-Identifier: Apache-2.0
// One set of names for fp32 vectors and for a plain double, so that a body is written once for both.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

#include "kernels/scan/selective_bwd.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

/// Lane i where bit kBit of i is clear: a[i] + a[i | kBit]; where it is set, the same of b.
template <int kBit, class V, int... kLane>
BS_INLINE V add_lane_pairs(const V& a, const V& b, std::integer_sequence<int, kLane...>) {
  using Index = simd::I32Of<V>;
  constexpr int kWidth = simd::kWidth<V>;
  const Index here{((kLane & kBit) == 0 ? kLane : kWidth + (kLane ^ kBit))...};
  const Index there{((kLane & kBit) == 0 ? kLane | kBit : kWidth + kLane)...};
  return __builtin_shuffle(a, b, here) + __builtin_shuffle(a, b, there);
}

/// Lane i: the sum of the lanes of row i, for 2 kBit rows (kBit a power of two; 0: the row itself).
template <class V, int kBit>
BS_INLINE V sums_of_rows(const float* rows) {
  if constexpr (kBit == 0)
    return simd::load<V>(rows);
  else
    return add_lane_pairs<kBit>(sums_of_rows<V, kBit / 2>(rows),
                                sums_of_rows<V, kBit / 2>(rows + kBit * simd::kWidth<V>),
                                std::make_integer_sequence<int, simd::kWidth<V>>());
}

/// V: simd::F32x16, F32x8 or F32x4.
template <class V>
struct Wide {
  using S = float;
  static constexpr std::int64_t kWidth = simd::kWidth<V>;
  BS_INLINE static V load(const float* p) { return simd::load<V>(p); }
  BS_INLINE static void store(float* p, const V& v) { simd::store<V>(p, v); }
  template <class T>
  BS_INLINE static V load_some(const T* p, std::int64_t count) {
    return simd::load_some<V>(p, count);
  }
  template <class T>
  BS_INLINE static void store_some(T* p, const V& v, std::int64_t count) {
    simd::store_some<V>(p, v, count);
  }
  BS_INLINE static V exp(const V& x) { return simd::exp2<V>(x * 0x1.715476p0F); }
  BS_INLINE static V softplus(const V& v) { return simd::softplus<V>(v); }
  BS_INLINE static V sigmoid(const V& v) { return simd::reciprocal<V>(simd::exp<V>(-v) + 1.0F); }
  BS_INLINE static V slope(const V& v) { return sigmoid(v); }  // beyond 20 it rounds to 1 by itself
  /// to[i stride] = sum of the kWidth lanes of row i. Rows are summed kWidth at a time, as a transposition with sums in
  /// between: three operations a row and not sixteen. Reads whole groups of rows, so `rows` must hold as many.
  BS_INLINE static void sum_rows(const float* rows, std::int64_t count, float* to, std::int64_t stride) {
    for (std::int64_t i = 0; i < count; i += kWidth) {
      float sums[kWidth];
      store(sums, sums_of_rows<V, kWidth / 2>(rows + i * kWidth));
      for (std::int64_t j = 0; j < kWidth && i + j < count; ++j) to[(i + j) * stride] = sums[j];
    }
  }
};

template <>
struct Wide<double> {
  using S = double;
  static constexpr std::int64_t kWidth = 1;
  static double load(const double* p) { return *p; }
  static void store(double* p, double v) { *p = v; }
  static double load_some(const double* p, std::int64_t) { return *p; }
  static void store_some(double* p, double v, std::int64_t) { *p = v; }
  static double exp(double x) { return std::exp(x); }
  static double softplus(double v) { return scan::softplus(v); }
  static double sigmoid(double v) { return scan::sigmoid(v); }
  static double slope(double v) { return softplus_slope(v); }
  static void sum_rows(const double* rows, std::int64_t count, double* to, std::int64_t stride) {
    for (std::int64_t i = 0; i < count; ++i) to[i * stride] = rows[i];
  }
};

}  // namespace bench::scan
