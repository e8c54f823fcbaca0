// SPDX-License-Identifier: Apache-2.0
// What the block primitive needs of vectors beyond kernels/simd_math.hpp: doubles too, loads that stop at a
// row's end or come two at a time, and sums and maxima across lanes. Only token_block_body.hpp includes it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "kernels/simd_math.hpp"

namespace bench::decode {

using F64x8 = double __attribute__((vector_size(64)));
using F64x4 = double __attribute__((vector_size(32)));
using F64x2 = double __attribute__((vector_size(16)));

template <class V>
using ElementOf = std::remove_cvref_t<decltype(std::declval<V>()[0])>;
template <class V>
inline constexpr int kLanes = static_cast<int>(sizeof(V) / sizeof(ElementOf<V>));

template <class V, class T>
BS_INLINE V load_row(const T* p) {
  if constexpr (std::is_same_v<T, ElementOf<V>>) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
  } else {
    return simd::load<V>(p);
  }
}
/// The end of a row: `count` elements, fewer than a vector has; nothing behind them is read.
template <class V, class T>
BS_INLINE V load_end(const T* p, std::int64_t count) {
  T lanes[kLanes<V>] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load_row<V>(static_cast<const T*>(lanes));
}

/// Two vectors from 2 N elements at p. bf16: the even elements, then the odd ones, each widened by one
/// instruction (in order it would be two), as place_of (token_block.hpp) says.
template <class V, class T>
BS_INLINE void load_two(const T* p, V& first, V& second) {
  if constexpr (std::is_same_v<T, Bf16>) {
    simd::U32Of<V> both;
    std::memcpy(&both, p, sizeof both);
    first = __builtin_bit_cast(V, both << 16);
    second = __builtin_bit_cast(V, both & 0xffff0000U);
  } else {
    first = load_row<V>(p);
    second = load_row<V>(p + kLanes<V>);
  }
}

/// Of the pieces of a and b (kPiece lanes each, within spans of kSpan lanes): those at even places, or at odd
/// ones.
template <int kPiece, int kSpan, int kOdd, class V, int... kLane>
BS_INLINE V every_other(const V& a, const V& b, std::integer_sequence<int, kLane...>) {
  constexpr int kN = sizeof...(kLane), kHalf = kSpan / 2;
  return __builtin_shufflevector(
      a, b,
      (kLane / kSpan * kSpan + kLane % kPiece + (kLane % kHalf / kPiece * 2 + kOdd) * kPiece +
       (kLane % kSpan >= kHalf ? kN : 0))...);
}
template <int kPiece, int kSpan, class V>
BS_INLINE V fold(const V& a, const V& b) {
  using Lanes = std::make_integer_sequence<int, kLanes<V>>;
  return every_other<kPiece, kSpan, 0>(a, b, Lanes{}) + every_other<kPiece, kSpan, 1>(a, b, Lanes{});
}
/// Lane i of the result: the sum of x[i]'s lanes. Within 16 bytes first, which shuffles do without an index.
template <class V>
BS_INLINE V sums_of(V (&x)[kLanes<V>]) {
  constexpr int kQuarter = static_cast<int>(16 / sizeof(ElementOf<V>));
  int count = kLanes<V>;
#pragma GCC unroll 4
  for (int piece = 1; piece < kQuarter; piece *= 2, count /= 2)
#pragma GCC unroll 16
    for (int i = 0; i < count / 2; ++i) x[i] = fold<1, kQuarter>(x[2 * i], x[2 * i + 1]);
  if constexpr (kLanes < V >> kQuarter) {
#pragma GCC unroll 4
    for (; count > 1; count /= 2)
#pragma GCC unroll 16
      for (int i = 0; i < count / 2; ++i) x[i] = fold<kQuarter, kLanes<V>>(x[2 * i], x[2 * i + 1]);
  }
  return x[0];
}

/// One number of a vector's lanes, halving the vector.
struct Largest {
  template <class V>
  BS_INLINE static V of(const V& a, const V& b) {
    return a > b ? a : b;
  }
};
struct Sum {
  template <class V>
  BS_INLINE static V of(const V& a, const V& b) {
    return a + b;
  }
};
template <int kBy, class V, int... kLane>
BS_INLINE V rotated(const V& x, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(x, x, ((kLane + kBy) % kLanes<V>)...);
}
template <class V, class With, int kBy = kLanes<V> / 2>
BS_INLINE ElementOf<V> reduce(const V& x) {
  const V folded = With::template of<V>(x, rotated<kBy>(x, std::make_integer_sequence<int, kLanes<V>>{}));
  if constexpr (kBy == 1) {
    return folded[0];
  } else {
    return reduce<V, With, kBy / 2>(folded);
  }
}

/// 2^x of a vector's lanes, x <= 0.
template <class V>
BS_INLINE V exp2_of(const V& x) {
  if constexpr (std::is_same_v<ElementOf<V>, float>) {
    return simd::exp2<V>(x);
  } else {
    V y = {};
    for (int i = 0; i < kLanes<V>; ++i) y[i] = std::exp2(x[i]);
    return y;
  }
}

}  // namespace bench::decode
