// SPDX-License-Identifier: Apache-2.0
// bf16 with AVX512-BF16: the strip kernel again, on words that hold two bf16 each. One vdpbf16ps multiplies
// 16 pairs of products and adds them to 16 fp32 sums, so the tiles are those of the fp32 engine at half the
// depth: head elements are paired for the scores, keys for the weighted values. Weights are rounded to bf16
// (as LibTorch does); scores, sums and the state stay fp32. The scale comes with the softmax, since scaled
// bf16 queries would be rounded once more.
//
// The instruction rounds to nearest even and takes denormals for zero, whatever the control register says.
#include "kernels/attention/tile_isa.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/attention/softmax_state.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma,prefer-vector-width=512")
#include "kernels/attention/tile_strip.hpp"

namespace bench::attention {
namespace {

constexpr int kLanes = 16, kRows = 8, kVecs = 3;
constexpr std::int64_t kTwoVectors = 2 * kLanes;  // scores that become one vector of weights

struct PairStrip : Strip<float, kLanes, kRows, kVecs> {
  using Word = std::int32_t __attribute__((may_alias));  // two bf16

  static void attend(const StripArgs<float>& a) {
    const std::int64_t keys = a.visible[kRows - 1], columns = round_up(keys, kTwoVectors);
    for (std::int64_t column = 0; column < keys; column += kPanel)
      score_columns(a, column, std::min((keys - column + kLanes - 1) / kLanes, std::int64_t{kVecs}));
    float alpha[kRows];
    for (int r = 0; r < kRows; ++r) alpha[r] = weights(a, r, columns);
    std::int64_t column = 0;
    for (; column + kTwoVectors <= a.padded_dim; column += kTwoVectors) weigh_pairs<2>(a, keys, alpha, column);
    for (; column < a.padded_dim; column += kLanes) weigh_pairs<1>(a, keys, alpha, column);
  }

 private:
  static __m512bh pairs_at(const float* words) { return (__m512bh)_mm512_loadu_si512(words); }
  static __m512bh broadcast(const float* word) {
    return (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const Word*>(word));
  }

  static void score_columns(const StripArgs<float>& a, std::int64_t column, std::int64_t vectors) {
    const float* k = a.k + column * a.depth;
    if (vectors == 3) return score_pairs<3>(a.q, k, a.depth, a.scores + column);
    if (vectors == 2) return score_pairs<2>(a.q, k, a.depth, a.scores + column);
    score_pairs<1>(a.q, k, a.depth, a.scores + column);
  }

  template <int kWidth>
  static __attribute__((noinline)) void score_pairs(const float* q, const float* k, std::int64_t depth,
                                                    float* scores) {
    __m512 tile[kRows][kWidth] = {};
    for (std::int64_t d = 0; d < depth; ++d, q += kRows, k += kPanel) {
      __m512bh key[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) key[w] = pairs_at(k + w * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512bh query = broadcast(q + r);
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] = _mm512_dpbf16_ps(tile[r][w], query, key[w]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) _mm512_storeu_ps(scores + r * kScoreStride + w * kLanes, tile[r][w]);
  }

  /// The row's scores become weights, packed in pairs at the row's front. Updates max and sum; returns what
  /// the earlier output must be multiplied by.
  static float weights(const StripArgs<float>& a, int r, std::int64_t columns) {
    float* const row = a.scores + r * kScoreStride;
    std::fill(row + a.visible[r], row + columns, static_cast<float>(kMaskedScore) / a.scale);
    const float max = std::max(a.max[r], row_max(row, columns) * a.scale);
    Vec drop = Vec{} + (a.max[r] - max);
    exp2(drop);
    a.max[r] = max;
    Vec sum = {};
    for (std::int64_t j = 0; j < columns; j += kTwoVectors) {
      Vec low = *reinterpret_cast<const Vec*>(row + j) * a.scale - max;
      Vec high = *reinterpret_cast<const Vec*>(row + j + kLanes) * a.scale - max;
      exp2(low);
      exp2(high);
      sum += low + high;
      _mm512_storeu_si512(row + j / 2, (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
    }
    float total = sum[0];
    for (int i = 1; i < kLanes; ++i) total += sum[i];
    a.sum[r] = a.sum[r] * drop[0] + total;
    return drop[0];
  }

  /// acc[:, column ...] = acc * alpha + P V over the first `keys` keys, two at a time: the weight of a last
  /// one without a partner is paired with 0.
  template <int kWidth>
  static __attribute__((noinline)) void weigh_pairs(const StripArgs<float>& a, std::int64_t keys,
                                                    const float* alpha, std::int64_t column) {
    __m512 tile[kRows][kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w)
        tile[r][w] = _mm512_loadu_ps(a.acc + r * a.padded_dim + column + w * kLanes) * alpha[r];
    const float* v = a.v + column;
    const float* weight = a.scores;
    for (std::int64_t j = 0; j < keys; j += 2, v += a.v_stride, ++weight) {
      __m512bh value[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) value[w] = pairs_at(v + w * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512bh both = broadcast(weight + r * kScoreStride);
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] = _mm512_dpbf16_ps(tile[r][w], both, value[w]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w)
        _mm512_storeu_ps(a.acc + r * a.padded_dim + column + w * kLanes, tile[r][w]);
  }
};

}  // namespace

TileEngine<float> tile_pairs_avx512() {
  return {"avx512_bf16", kRows, PairStrip::kPanel, PairStrip::attend, true};
}

}  // namespace bench::attention
#endif
