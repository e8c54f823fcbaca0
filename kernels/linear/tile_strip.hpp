// SPDX-License-Identifier: Apache-2.0
// The strip function, written once over vector types and weight formats; tile.cpp wraps it per instruction
// set.
//
// kRows x kVecs accumulators; per input kVecs loads of weights and kRows broadcasts feed kRows * kVecs fused
// multiply-adds. Inputs go two by two, as int4 stores them; a strip of one row keeps two sets of
// accumulators, so that enough additions are in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/linear/tile.hpp"
#include "kernels/simd_math.hpp"

namespace bench::linear {

/// Vectors of as many bytes as V has lanes.
template <class V>
struct BytesOf;
template <>
struct BytesOf<simd::F32x16> {
  using I8 = std::int8_t __attribute__((vector_size(16)));
  using U8 = std::uint8_t __attribute__((vector_size(16)));
};
template <>
struct BytesOf<simd::F32x8> {
  using I8 = std::int8_t __attribute__((vector_size(8)));
  using U8 = std::uint8_t __attribute__((vector_size(8)));
};
template <>
struct BytesOf<simd::F32x4> {
  using I8 = std::int8_t __attribute__((vector_size(4)));
  using U8 = std::uint8_t __attribute__((vector_size(4)));
};

/// Bytes as 32-bit lanes, signs kept for I8. g++ 12 widens in quarters that it puts together again (ten
/// instructions a vector), so the one instruction there is gets named where V is wider than SSE's.
template <class V, class Bytes>
BS_INLINE simd::I32Of<V> widen(const std::byte* p) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) > 16) {
    simd::I32Of<V> wide;
    if constexpr (std::is_same_v<Bytes, typename BytesOf<V>::I8>) {
      __asm__("vpmovsxbd %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const std::byte(*)[sizeof(Bytes)]>(p)));
    } else {
      __asm__("vpmovzxbd %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const std::byte(*)[sizeof(Bytes)]>(p)));
    }
    return wide;
  }
#endif
  Bytes bytes;
  std::memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, simd::I32Of<V>);
}

template <class V>
BS_INLINE V load_int8(const std::byte* p) {
  return __builtin_convertvector((widen<V, typename BytesOf<V>::I8>(p)), V);
}

/// A whole number below 2^23, put into the mantissa of 2^23, is that number more: one subtraction makes it a
/// float and takes the offset of the code off.
template <class V>
BS_INLINE V float_of_code(const simd::U32Of<V>& shifted_code) {
  return __builtin_bit_cast(V, shifted_code | 0x4b000000U) - (0x1p23F + 8.0F);
}

template <class V>
BS_INLINE void load_pair_int4(const std::byte* p, V& even, V& odd) {
  const auto wide = __builtin_bit_cast(simd::U32Of<V>, widen<V, typename BytesOf<V>::U8>(p));
  even = float_of_code<V>(wide & 15U);
  odd = float_of_code<V>(wide >> 4);
}

/// `p`: the panel's row of input k; `panel` channels further is that of input k + 1, except in int4.
template <class V, WeightFormat kFormat>
BS_INLINE void load_pair(const std::byte* p, std::int64_t panel, std::int64_t channel, V& even, V& odd) {
  if constexpr (kFormat == WeightFormat::int4) {
    load_pair_int4<V>(p + channel, even, odd);
  } else if constexpr (kFormat == WeightFormat::int8) {
    even = load_int8<V>(p + channel);
    odd = load_int8<V>(p + panel + channel);
  } else if constexpr (kFormat == WeightFormat::f32) {
    even = simd::load<V>(reinterpret_cast<const float*>(p) + channel);
    odd = simd::load<V>(reinterpret_cast<const float*>(p) + panel + channel);
  } else if constexpr (kFormat == WeightFormat::bf16) {
    even = simd::load<V>(reinterpret_cast<const Bf16*>(p) + channel);
    odd = simd::load<V>(reinterpret_cast<const Bf16*>(p) + panel + channel);
  } else {
    even = simd::load<V>(reinterpret_cast<const F16*>(p) + channel);
    odd = simd::load<V>(reinterpret_cast<const F16*>(p) + panel + channel);
  }
}

/// Bytes of weights between inputs k and k + 2, for one channel.
template <WeightFormat kFormat>
inline constexpr std::int64_t kPairBytes = kFormat == WeightFormat::f32    ? 8
                                           : kFormat == WeightFormat::int8 ? 2
                                           : kFormat == WeightFormat::int4 ? 1
                                                                           : 4;

/// sums[r][v] += products of `depth` inputs.
template <class V, WeightFormat kFormat, int kRows, int kVecs>
BS_INLINE void multiply(const float* x, const std::byte* w, std::int64_t depth, V (&sums)[kRows][kVecs]) {
  constexpr std::int64_t kPanel = std::int64_t{kVecs} * simd::kWidth<V>;
  V other[kRows][kVecs] = {};  // of odd inputs; unused, and gone, when there are rows enough
  for (std::int64_t k = 0; k < depth; k += 2, x += 2 * kRows, w += kPairBytes<kFormat> * kPanel) {
    V even[kVecs], odd[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v)
      load_pair<V, kFormat>(w, kPanel, std::int64_t{v} * simd::kWidth<V>, even[v], odd[v]);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) sums[r][v] += x[r] * even[v];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) (kRows == 1 ? other : sums)[r][v] += x[kRows + r] * odd[v];
  }
  if constexpr (kRows == 1) {
    for (int v = 0; v < kVecs; ++v) sums[0][v] += other[0][v];
  }
}

/// Adds the sums of a group to the tile; int4 applies the group's scale and zero point here, once for all of
/// its inputs: sum of x (scale code + zero) = scale (sum of x code) + zero (sum of x).
template <class V, WeightFormat kFormat, int kRows, int kVecs>
BS_INLINE void add_group(const StripArgs& a, std::int64_t group, const V (&sums)[kRows][kVecs]) {
  constexpr std::int64_t kPanel = std::int64_t{kVecs} * simd::kWidth<V>;
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    const std::int64_t channel = std::int64_t{v} * simd::kWidth<V>;
    V scale = {}, zero = {};
    if constexpr (kFormat == WeightFormat::int4) {
      scale = simd::load<V>(a.scale + group * kPanel + channel);
      zero = simd::load<V>(a.zero + group * kPanel + channel);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      float* at = a.tile + r * kPanel + channel;
      V sum = sums[r][v];
      if constexpr (kFormat == WeightFormat::int4) sum = sum * scale + zero * a.x_sums[group * kRows + r];
      simd::store<V>(at, simd::load<V>(at) + sum);
    }
  }
}

template <class V, WeightFormat kFormat, int kRows, int kVecs>
BS_INLINE void strip(const StripArgs& a) {
  constexpr std::int64_t kPanel = std::int64_t{kVecs} * simd::kWidth<V>;
  std::int64_t group = 0;
  for (std::int64_t k = 0; k < a.depth; k += a.group, ++group) {
    V sums[kRows][kVecs] = {};
    multiply<V, kFormat, kRows, kVecs>(a.x + k * kRows, a.w + k / 2 * kPairBytes<kFormat> * kPanel,
                                       std::min(a.group, a.depth - k), sums);
    add_group<V, kFormat, kRows, kVecs>(a, group, sums);
  }
}

}  // namespace bench::linear
