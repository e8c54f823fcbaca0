// SPDX-License-Identifier: Apache-2.0
// The strip function of dot.hpp, written once over vector types; dot.cpp wraps it per instruction set.
//
// R x kVecs accumulators; four inputs cost kVecs loads of weights and R broadcasts for R * kVecs dot products.
// int4 splits one load into two vectors of weights by three bit operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/linear/dot.hpp"
#include "kernels/simd_math.hpp"

namespace bench::linear {

/// start[i] + the products of four unsigned bytes of w and four signed ones of x, in every lane. The sum is a copy:
/// g++ 12 leaves an array in memory when an asm writes to its elements.
template <class V>
BS_INLINE simd::I32Of<V> dot_bytes(const simd::I32Of<V>& start, const simd::I32Of<V>& w, const simd::I32Of<V>& x) {
  simd::I32Of<V> sum = start;
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  } else if constexpr (sizeof(V) == 32) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(w), "x"(x));
    return sum;
  }
#endif
  for (int i = 0; i < simd::kWidth<V>; ++i)
    for (int byte = 0; byte < 32; byte += 8)
      sum[i] += (w[i] >> byte & 255) * static_cast<std::int8_t>(static_cast<std::uint32_t>(x[i]) >> byte);
  return sum;
}

template <class V>
BS_INLINE simd::I32Of<V> load_codes(const std::byte* p) {
  simd::I32Of<V> codes;
  std::memcpy(&codes, p, sizeof codes);
  return codes;
}

/// Asks for the lines that the stream of weights will reach in some microseconds: the hardware's own look-ahead ends
/// with each page.
inline constexpr std::int64_t kAhead = 4096;
template <class V>
BS_INLINE void fetch_ahead(const std::byte* p) {
  if constexpr (sizeof(V) >= 64) __builtin_prefetch(p + kAhead, 0, 3);
}

/// sums[r][v] += the products of four inputs.
template <class V, int kDigitRows, int kVecs>
BS_INLINE void dot_inputs(const std::int32_t* x, const simd::I32Of<V> (&w)[kVecs],
                          simd::I32Of<V> (&sums)[kDigitRows][kVecs]) {
#pragma GCC unroll 16
  for (int r = 0; r < kDigitRows; ++r) {
    const simd::I32Of<V> digits = simd::I32Of<V>{} + x[r];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) sums[r][v] = dot_bytes<V>(sums[r][v], w[v], digits);
  }
}

template <class V, WeightFormat kFormat, int kDigitRows, int kVecs>
BS_INLINE void dot_group(const std::int32_t* x, const std::byte* w, std::int64_t inputs,
                         simd::I32Of<V> (&sums)[kDigitRows][kVecs]) {
  using I32 = simd::I32Of<V>;
  constexpr std::int64_t kBytes = sizeof(V), kStep = 16 * simd::kWidth<V>;  // a panel is four vectors
  constexpr std::int64_t kInputs = kFormat == WeightFormat::int4 ? 8 : 4;
  for (std::int64_t k = 0; k < inputs; k += kInputs, w += kStep, x += kInputs / 4 * kDigitRows) {
    I32 low[kVecs], high[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      fetch_ahead<V>(w + v * kBytes);
      low[v] = load_codes<V>(w + v * kBytes);
      if constexpr (kFormat == WeightFormat::int4) {
        high[v] = low[v] >> 4 & 0x0f0f0f0f;
        low[v] &= 0x0f0f0f0f;
      }
    }
    dot_inputs<V, kDigitRows, kVecs>(x, low, sums);
    if constexpr (kFormat == WeightFormat::int4) dot_inputs<V, kDigitRows, kVecs>(x + kDigitRows, high, sums);
  }
}

/// kWidth<V> scales or zero points, as the layer stores them.
template <class V>
BS_INLINE V load_figures(const std::byte* figures, DType dtype, std::int64_t at) {
  if (dtype == DType::f32) return simd::load<V>(reinterpret_cast<const float*>(figures) + at);
  if (dtype == DType::bf16) return simd::load<V>(reinterpret_cast<const Bf16*>(figures) + at);
  return simd::load<V>(reinterpret_cast<const F16*>(figures) + at);
}

/// The digits' sums put together: what the highest digit counts for does not depend on how many there are.
template <class V, int kDigits, int kDigitRows, int kVecs>
BS_INLINE V join_digits(const simd::I32Of<V> (&sums)[kDigitRows][kVecs], int row, int v) {
  V sum = __builtin_convertvector(sums[row * kDigits + kDigits - 1][v], V) * 0x1p-6F;
  sum += __builtin_convertvector(sums[row * kDigits + kDigits - 2][v], V) * 0x1p-14F;
  if constexpr (kDigits == 3) sum += __builtin_convertvector(sums[row * kDigits][v], V) * 0x1p-22F;
  return sum;
}

/// Adds a group's sums to the tile: x scale (w scale code + zero) is scale * (scale * sum) + zero * sum(x).
template <class V, WeightFormat kFormat, int kRows, int kDigits, int kVecs>
BS_INLINE void add_group(const DotArgs& a, std::int64_t group, std::int64_t channel,
                         const simd::I32Of<V> (&sums)[kRows * kDigits][kVecs]) {
  constexpr std::int64_t kPanel = 4 * simd::kWidth<V>;
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v, channel += simd::kWidth<V>) {
    V scale = {}, zero = {};
    if constexpr (kFormat == WeightFormat::int4) {
      scale = load_figures<V>(a.scale, a.figures, group * kPanel + channel);
      zero = load_figures<V>(a.zero, a.figures, group * kPanel + channel);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* at = a.tile + r * kPanel + channel;
      V sum = join_digits<V, kDigits, kRows * kDigits, kVecs>(sums, r, v) * a.x.scale[group * kRows + r];
      if constexpr (kFormat == WeightFormat::int4) sum = sum * scale + zero * a.x.sum[group * kRows + r];
      simd::store<V>(at, simd::load<V>(at) + sum);
    }
  }
}

template <class V, WeightFormat kFormat, int kRows, int kDigits, int kVecs>
BS_INLINE void dot_strip(const DotArgs& a) {
  constexpr int kDigitRows = kRows * kDigits;
  constexpr std::int64_t kPanel = 4 * simd::kWidth<V>, kPart = std::int64_t{kVecs} * simd::kWidth<V>;
  for (std::int64_t channel = 0; channel < kPanel; channel += kPart) {
    for (std::int64_t k = 0, group = 0; k < a.depth; k += a.group, ++group) {
      simd::I32Of<V> sums[kDigitRows][kVecs] = {};
#pragma GCC unroll 16
      for (int r = 0; r < kDigitRows; ++r)
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) sums[r][v] += a.x.start[group * kDigitRows + r];
      dot_group<V, kFormat, kDigitRows, kVecs>(
          a.x.digits + k / 4 * kDigitRows, a.w + packed_bytes(kFormat, k) * kPanel + channel * 4,
          std::min(a.group, a.depth - k), sums);
      add_group<V, kFormat, kRows, kDigits, kVecs>(a, group, channel, sums);
    }
  }
}

}  // namespace bench::linear
