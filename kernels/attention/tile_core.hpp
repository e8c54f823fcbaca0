// SPDX-License-Identifier: Apache-2.0
// The arithmetic under every tile of attention, forward and backward, written once over GCC vector types: a
// product whose left factor is broadcast and whose right factor is loaded, 2^x, and capped scores. Each tile_<isa>.cpp
// includes this below its target pragma. Everything lives in an unnamed namespace: the same template compiled
// for another instruction set must not be merged with it. No lambdas: they would not take the pragma's
// target.
#pragma once

#include <cstdint>
#include <iterator>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/rounding.hpp"

namespace bench::attention {
namespace {

/// Bits and polynomial of 2^x. Coefficients: Chebyshev interpolation of (2^r - 1) / r on [-1/2, 1/2], so that
/// 2^0 is exactly 1.
template <class Real>
struct Exp2;
template <>
struct Exp2<float> {  // relative error 2.0e-7
  using Bits = std::int32_t;
  static constexpr int kMantissa = 23;
  static constexpr float kRound =
      12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  static constexpr float kLeast = -126.0F;  // below: 0
  static constexpr float kC[] = {6.93147181e-1F, 2.40223490e-1F, 5.55038101e-2F, 9.66636852e-3F,
                                 1.33813025e-3F};
};
template <>
struct Exp2<double> {  // relative error 8.4e-18 before rounding
  using Bits = std::int64_t;
  static constexpr int kMantissa = 52;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double kLeast = -1022.0;
  static constexpr double kC[] = {6.93147180559945286e-1, 2.40226506959100972e-1, 5.55041086648215970e-2,
                                  9.61812910760688825e-3, 1.33335581464169356e-3, 1.54035304417360499e-4,
                                  1.52527338298361192e-5, 1.32154425879216893e-6, 1.01780624458457723e-7,
                                  7.07258594926922339e-9, 4.45496059818677551e-10};
};

template <class RealType, int kLaneCount>
struct Core {
  using Real = RealType;
  static constexpr int kLanes = kLaneCount;
  /// Keys whose weights share a word: 2 for bf16 pairs.
  static constexpr std::int64_t kKeysPerWord = 1;
  typedef Real Vec __attribute__((vector_size(kLanes * sizeof(Real)), may_alias));
  typedef typename Exp2<Real>::Bits Ints __attribute__((vector_size(kLanes * sizeof(Real)), may_alias));

  static Vec* at(Real* p) { return reinterpret_cast<Vec*>(p); }
  static const Vec* at(const Real* p) { return reinterpret_cast<const Vec*>(p); }

  /// tile[r][w] += sum_i left[r][i * step] * (vector w of right + i * stride). Per i: kWidth loads and
  /// kHeight broadcasts feed kHeight * kWidth multiply-adds. The left factor is what streams from beyond L1:
  /// it may lie in rows (step 1) or in columns, whose next lines are then asked for kAhead steps before.
  template <int kAhead, int kHeight, int kWidth>
  static inline __attribute__((always_inline)) void multiply(Vec (&tile)[kHeight][kWidth],
                                                             const Real* const (&left)[kHeight],
                                                             std::int64_t step, const Real* right,
                                                             std::int64_t stride, std::int64_t depth) {
    for (std::int64_t i = 0, at_left = 0; i < depth; ++i, at_left += step, right += stride) {
      if constexpr (kAhead > 0) __builtin_prefetch(left[0] + at_left + kAhead * step);
      Vec row[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) row[w] = at(right)[w];
#pragma GCC unroll 8
      for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] += left[r][at_left] * row[w];
    }
  }

  /// 2^x = 2^n (1 + less_one), n to be added to the exponent bits: n is x rounded, less_one by polynomial.
  struct Split {
    Vec less_one;
    Ints exponent;
  };
  static inline __attribute__((always_inline)) Split split(Vec x) {
    using E = Exp2<Real>;
    const Vec shifted = x + E::kRound;
    const Vec r = x - (shifted - E::kRound);
    constexpr int kTerms = static_cast<int>(std::size(E::kC));
    Vec p = Vec{} + E::kC[kTerms - 1];
#pragma GCC unroll 16
    for (int i = kTerms - 2; i >= 0; --i) p = p * r + E::kC[i];
    return {p * r, reinterpret_cast<Ints>(shifted) << E::kMantissa};
  }
  static inline __attribute__((always_inline)) Vec raised(Vec x, Ints exponent) {
    return reinterpret_cast<Vec>(reinterpret_cast<Ints>(x) + exponent);
  }

  /// 2^x for x <= 0, exactly 0 below the normal range.
  static inline __attribute__((always_inline)) Vec exp2(Vec x) {
    const Ints tiny = x < Exp2<Real>::kLeast;  // what is computed there means nothing
    const Split of = split(x);
    const Vec scaled = raised(of.less_one + Real{1}, of.exponent);
    return tiny ? Vec{} : scaled;
  }

  /// 2^x - 1 for |x| <= 64, as good next to 0 as elsewhere: what 2^r adds to 1 is never added to it.
  static inline __attribute__((always_inline)) Vec exp2_less_one(Vec x) {
    const Split of = split(x);
    const Vec power = raised(Vec{} + Real{1}, of.exponent);
    return power * of.less_one + (power - Real{1});
  }

  struct Capped {
    Vec score, slope;
  };
  /// c tanh(s / c) of scores s and its slope by s; x and the result in units of log2. With m = e^(2 s / c) - 1 they are c m / (m + 2)
  /// and 4 (m + 1) / (m + 2)^2. At |x| = 32 c the cap is long reached.
  static inline __attribute__((always_inline)) Capped capped(Vec x, Real c) {
    const Vec v = x * (Real{2} / c), most = Vec{} + Real{64};
    const Vec m = exp2_less_one(v > most ? most : v < -most ? -most : v);
    const Vec share = Real{1} / (m + Real{2});
    return {m * share * (c * static_cast<Real>(kLog2E)), Real{4} * (m + Real{1}) * share * share};
  }

  /// `keys` scores of kLanes rows, `stride` apart, become weights 2^(scale * score - max). Returns their
  /// sums.
  static Vec weights(Real* scores, std::int64_t stride, std::int64_t keys, Real scale, Vec max) {
    Vec sum = {};
    for (std::int64_t j = 0; j < keys; ++j, scores += stride) {
      const Vec x = exp2(*at(scores) * scale - max);
      *at(scores) = x;
      sum += x;
    }
    return sum;
  }
};

}  // namespace
}  // namespace bench::attention
