// SPDX-License-Identifier: Apache-2.0
// One set of names for fp32 vectors and for a plain double, so that a body is written once for both.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scan/selective_bwd.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

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
  BS_INLINE static float sum(const float* lanes) {
    float total[4] = {};
    for (std::int64_t i = 0; i < kWidth; ++i) total[i % 4] += lanes[i];
    return (total[0] + total[1]) + (total[2] + total[3]);
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
  static double sum(const double* lanes) { return *lanes; }
};

}  // namespace bench::scan
