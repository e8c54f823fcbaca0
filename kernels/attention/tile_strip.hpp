// SPDX-License-Identifier: Apache-2.0
// The strip kernel, written once over GCC vector types: S = Q K^T, online softmax, acc = acc * alpha + P V
// for a few query rows and at most kKeyBlock keys. Each tile_<isa>.cpp includes this file below its target
// pragma and instantiates it with the tile that fits its registers.
//
// Scores tile: kRows x (kVecs vectors of keys); per head element kVecs loads of K and kRows broadcasts feed
// kRows * kVecs fused multiply-adds. Output tile: kRows x 2 vectors of V's columns; per key 2 loads and kRows
// broadcasts feed 2 * kRows. Everything lives in an unnamed namespace: the same template compiled for another
// instruction set must not be merged with it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/tile.hpp"

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

template <class Real, int kLanes, int kRows, int kVecs>
struct Strip {
  typedef Real Vec __attribute__((vector_size(kLanes * sizeof(Real)), may_alias));
  typedef typename Exp2<Real>::Bits Ints __attribute__((vector_size(kLanes * sizeof(Real)), may_alias));
  static constexpr std::int64_t kPanel = std::int64_t{kVecs} * kLanes;
  static_assert(kKeyBlock % kPanel == 0 && kQueryBlock % kRows == 0 && kMaxLanes % kLanes == 0 &&
                kRows <= kMaxStripRows);

  static void attend(const StripArgs<Real>& a) {
    const std::int64_t keys = a.visible[kRows - 1];
    score_panels(a, keys);
    Real alpha[kMaxLanes];
    softmax_rows(a, round_up(keys, kLanes), alpha);
    std::int64_t column = 0;
    for (; column + 2 * kLanes <= a.padded_dim; column += 2 * kLanes) weigh<2>(a, keys, alpha, column);
    for (; column < a.padded_dim; column += kLanes) weigh<1>(a, keys, alpha, column);
  }

 protected:  // grad_strip.hpp builds on score_panels and exp2
  /// Scores of all columns below `keys`, whole vectors at a time.
  static void score_panels(const StripArgs<Real>& a, std::int64_t keys) {
    const Real* k = a.k;
    for (std::int64_t column = 0; column < keys; column += kPanel, k += kPanel * a.depth) {
      const std::int64_t vectors = (keys - column + kLanes - 1) / kLanes;
      if (vectors >= kVecs) {
        score<kVecs>(a.q, k, a.depth, a.scores + column);
      } else if (kVecs > 2 && vectors == 2) {
        score<std::min(2, kVecs)>(a.q, k, a.depth, a.scores + column);
      } else {
        score<1>(a.q, k, a.depth, a.scores + column);
      }
    }
  }

  template <int kWidth>
  static __attribute__((noinline)) void score(const Real* __restrict q, const Real* __restrict k,
                                              std::int64_t head_dim, Real* __restrict scores) {
    Vec tile[kRows][kWidth] = {};
    for (std::int64_t d = 0; d < head_dim; ++d, q += kRows, k += kPanel) {
      Vec key[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) key[w] = reinterpret_cast<const Vec*>(k)[w];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] += q[r] * key[w];
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) reinterpret_cast<Vec*>(scores + r * kScoreStride)[w] = tile[r][w];
  }

  /// Scores become weights 2^(score - max); `alpha` is what each row's earlier output and sum must be
  /// multiplied by.
  static void softmax_rows(const StripArgs<Real>& a, std::int64_t columns, Real* alpha) {
    alignas(64) Real drop[kMaxLanes] = {};  // old max - new max
    for (int r = 0; r < kRows; ++r) {
      Real* row = a.scores + r * kScoreStride;
      for (std::int64_t j = a.visible[r]; j < columns; ++j) row[j] = static_cast<Real>(kMaskedScore);
      const Real max = std::max(a.max[r], row_max(row, columns));
      drop[r] = a.max[r] - max;
      a.max[r] = max;
    }
    for (int r = 0; r < kRows; r += kLanes) {
      Vec x = *reinterpret_cast<const Vec*>(drop + r);
      exp2(x);
      for (int i = 0; i < kLanes && r + i < kRows; ++i) alpha[r + i] = x[i];
    }
    for (int r = 0; r < kRows; ++r)
      a.sum[r] = a.sum[r] * alpha[r] + exponentiate(a.scores + r * kScoreStride, columns, a.max[r]);
  }

  static Real row_max(const Real* row, std::int64_t columns) {
    Vec max = *reinterpret_cast<const Vec*>(row);
    for (std::int64_t j = kLanes; j < columns; j += kLanes) {
      const Vec x = *reinterpret_cast<const Vec*>(row + j);
      max = x > max ? x : max;
    }
    Real result = max[0];
    for (int i = 1; i < kLanes; ++i) result = std::max(result, max[i]);
    return result;
  }

  /// Replaces the row's scores by weights and returns their sum.
  static Real exponentiate(Real* row, std::int64_t columns, Real max) {
    Vec sum = {};
    for (std::int64_t j = 0; j < columns; j += kLanes) {
      Vec x = *reinterpret_cast<const Vec*>(row + j) - max;
      exp2(x);
      *reinterpret_cast<Vec*>(row + j) = x;
      sum += x;
    }
    Real result = sum[0];
    for (int i = 1; i < kLanes; ++i) result += sum[i];
    return result;
  }

  /// x <- 2^x for x <= 0: 2^n by adding n to the exponent bits, 2^r by polynomial, exactly 0 below the normal
  /// range.
  static void exp2(Vec& x) {
    using E = Exp2<Real>;
    const Ints tiny = x < E::kLeast;
    const Vec clamped = tiny ? Vec{} + E::kLeast : x;
    const Vec shifted = clamped + E::kRound;
    const Vec r = clamped - (shifted - E::kRound);
    constexpr int kTerms = static_cast<int>(std::size(E::kC));
    Vec p = Vec{} + E::kC[kTerms - 1];
#pragma GCC unroll 16
    for (int i = kTerms - 2; i >= 0; --i) p = p * r + E::kC[i];
    p = p * r + Real{1};
    const Vec scaled =
        reinterpret_cast<Vec>(reinterpret_cast<Ints>(p) + (reinterpret_cast<Ints>(shifted) << E::kMantissa));
    x = tiny ? Vec{} : scaled;
  }

  /// acc[:, column ...] = acc * alpha + P V over the first `keys` keys, kWidth vectors of columns.
  template <int kWidth>
  static __attribute__((noinline)) void weigh(const StripArgs<Real>& a, std::int64_t keys, const Real* alpha,
                                              std::int64_t column) {
    Vec tile[kRows][kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w)
        tile[r][w] = reinterpret_cast<const Vec*>(a.acc + r * a.padded_dim + column)[w] * alpha[r];
    const Real* v = a.v + column;
    const Real* weight = a.scores;
    for (std::int64_t j = 0; j < keys; ++j, v += a.v_stride, ++weight) {
      Vec value[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) value[w] = reinterpret_cast<const Vec*>(v)[w];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] += weight[r * kScoreStride] * value[w];
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w)
        reinterpret_cast<Vec*>(a.acc + r * a.padded_dim + column)[w] = tile[r][w];
  }
};

}  // namespace
}  // namespace bench::attention
