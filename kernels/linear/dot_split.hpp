// SPDX-License-Identifier: Apache-2.0
// How a row of activations becomes digits (dot.hpp), written once over vector types.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/linear/dot.hpp"
#include "kernels/simd_math.hpp"

namespace bench::linear {

/// 2^power, -126 <= power <= 127.
BS_INLINE float power_of_two(int power) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(power + 127) << 23);
}

/// The largest |x| as the bits of a float; order is that of whole numbers, infinities and NaNs above all others.
template <class V>
BS_INLINE std::uint32_t largest_bits(const float* x, std::int64_t inputs) {
  simd::U32Of<V> most = {};
  for (std::int64_t k = 0; k < inputs; k += simd::kWidth<V>) {
    const auto bits = __builtin_bit_cast(simd::U32Of<V>, simd::load<V>(x + k)) & 0x7fffffffU;
    most = bits > most ? bits : most;
  }
  std::uint32_t largest = 0;
  for (int i = 0; i < simd::kWidth<V>; ++i) largest = std::max(largest, most[i]);
  return largest;
}

/// The nearest whole number, ties away from zero.
template <class V>
BS_INLINE simd::I32Of<V> nearest(const V& x) {
  const auto sign = __builtin_bit_cast(simd::U32Of<V>, x) & 0x80000000U;
  return __builtin_convertvector(x + __builtin_bit_cast(V, sign | 0x3f000000U), simd::I32Of<V>);
}

/// The low byte of each lane. g++ 12 narrows in pieces that it puts together again, so the one instruction there is
/// gets named where V is AVX-512's.
template <class V>
struct LaneBytes {
  std::int8_t byte[simd::kWidth<V>];
};
template <class V>
BS_INLINE LaneBytes<V> low_bytes(const simd::I32Of<V>& lanes) {
  LaneBytes<V> bytes;
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) {
    __asm__("vpmovdb %1, %0" : "=m"(bytes) : "v"(lanes));
    return bytes;
  }
#endif
  for (int i = 0; i < simd::kWidth<V>; ++i) bytes.byte[i] = static_cast<std::int8_t>(lanes[i]);
  return bytes;
}

/// Writes digits four by four, `stride` words apart.
template <class V>
BS_INLINE void store_digits(const simd::I32Of<V>& digits, std::int32_t* to, std::int64_t stride) {
  const LaneBytes<V> bytes = low_bytes<V>(digits);
#pragma GCC unroll 4
  for (int i = 0; i < simd::kWidth<V>; i += 4) std::memcpy(to + i / 4 * stride, bytes.byte + i, 4);
}

/// One group: its scale, digits and sums.
template <class V, int kDigits>
BS_INLINE void split_group(const float* x, std::int64_t inputs, std::int64_t rows, std::int32_t offset,
                           const DigitStrip& to) {
  constexpr std::uint32_t kHeadroom = 0x10200;  // the highest digit ends at 127.5, not at 128: 2^-7 less, and a bit
  constexpr int kBits = kDigits == 3 ? 22 : 14;
  const std::uint32_t largest = largest_bits<V>(x, inputs);
  const auto exponent = static_cast<int>((largest + kHeadroom) >> 23) - 127;
  const int power = kBits - exponent;  // as two factors: one would not fit a float for the smallest x
  const float first = power_of_two(power / 2), second = power_of_two(power - power / 2);
  simd::I32Of<V> sums[kDigits] = {};
  for (std::int64_t k = 0; k < inputs; k += simd::kWidth<V>) {
    simd::I32Of<V> rest = nearest<V>(simd::load<V>(x + k) * first * second);
#pragma GCC unroll 3
    for (int d = 0; d < kDigits; ++d) {
      const simd::I32Of<V> digit = rest << 24 >> 24;
      store_digits<V>(digit, to.digits + k / 4 * rows * kDigits + d, rows * kDigits);
      sums[d] += digit;
      rest = (rest - digit) >> 8;
    }
  }
  double sum = 0.0;
  for (int d = 0; d < kDigits; ++d) {
    std::int32_t all = 0;
    for (int i = 0; i < simd::kWidth<V>; ++i) all += sums[d][i];
    to.start[d] = -offset * all;
    sum += static_cast<double>(all) * static_cast<double>(1 << 8 * d);
  }
  const double unit = exponent < 128 ? 1.0 : std::numeric_limits<double>::quiet_NaN();
  const double scale = unit * (exponent > -127 ? static_cast<double>(power_of_two(std::min(exponent, 127))) : 0x1p-127);
  *to.scale = static_cast<float>(scale);
  *to.sum = static_cast<float>(scale * sum / static_cast<double>(1 << kBits));
}

template <class V, int kDigits>
BS_INLINE void split_row(const SplitArgs& a) {
  for (std::int64_t k = 0, group = 0; k < a.depth; k += a.group, ++group) {
    const DigitStrip to{a.to.digits + k / 4 * a.rows * kDigits, a.to.start + group * a.rows * kDigits,
                        a.to.scale + group * a.rows, a.to.sum + group * a.rows};
    split_group<V, kDigits>(a.x + k, std::min(a.group, a.depth - k), a.rows, a.offset, to);
  }
}

}  // namespace bench::linear
