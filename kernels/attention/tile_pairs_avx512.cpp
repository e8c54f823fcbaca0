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

struct PairCore : Core<float, 16> {
  using Word = std::int32_t __attribute__((may_alias));  // two bf16
  static constexpr std::int64_t kKeysPerWord = 2;

  static __m512bh broadcast(const float* word) {
    return (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const Word*>(word));
  }

  /// Core::multiply on words.
  template <int kAhead, int kHeight, int kWidth>
  static inline __attribute__((always_inline)) void multiply(Vec (&tile)[kHeight][kWidth],
                                                             const float* const (&left)[kHeight],
                                                             std::int64_t step, const float* right,
                                                             std::int64_t stride, std::int64_t depth) {
    for (std::int64_t i = 0, at_left = 0; i < depth; ++i, at_left += step, right += stride) {
      if constexpr (kAhead > 0) __builtin_prefetch(left[0] + at_left + kAhead * step);
      __m512bh row[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) row[w] = (__m512bh)_mm512_loadu_si512(right + w * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kHeight; ++r) {
        const __m512bh both = broadcast(left[r] + at_left);
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) tile[r][w] = (Vec)_mm512_dpbf16_ps((__m512)tile[r][w], both, row[w]);
      }
    }
  }

  /// Core::weights for an even number of keys; two keys' weights become the words of one row.
  static Vec weights(float* scores, std::int64_t stride, std::int64_t keys, float scale, Vec max) {
    // The two-source conversion leaves one key's weights below the other's; words want them side by side.
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    Vec sum = {};
    for (std::int64_t j = 0; j < keys; j += 2) {
      const Vec low = exp2(*at(scores + j * stride) * scale - max);
      const Vec high = exp2(*at(scores + (j + 1) * stride) * scale - max);
      sum += low + high;
      const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
      _mm512_storeu_si512(scores + j / 2 * stride, _mm512_permutexvar_epi16(order, both));
    }
    return sum;
  }
};

}  // namespace

TileEngine<float> tile_pairs_avx512() {
  return {"avx512_bf16", 3 * 16, Strip<PairCore, 3, 8>::attend, true};
}

}  // namespace bench::attention
#endif
