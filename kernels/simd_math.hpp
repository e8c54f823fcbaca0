// SPDX-License-Identifier: Apache-2.0
// Vector maths in fp32 for the CPU kernels: exp2, exp, log1p, softplus, silu, and loads and stores that widen
// and narrow 16-bit formats.
//
// Types are the compiler's vector extensions (F32x16, F32x8, F32x4: one AVX-512, AVX and SSE register). Every
// function is always inlined and so takes the instruction set of the function it is called from; see
// kernels/isa.hpp for how a kernel chooses one at run time.
//
// Errors against fp64, largest over the stated range (tests/kernels/simd_math_test.cpp holds them to it):
//   exp2      2e-7 relative on [-126, 127]; smaller arguments give 2^-126, larger ones 2^127
//   exp       2e-7 relative on [-87, 88]
//   log1p01   2e-7 relative on [0, 1]
//   softplus  3.5e-7 relative on [-80, inf)
//   silu      3e-7 relative on [-80, inf)
// NaN in, NaN out (quiet NaNs without a payload, as arithmetic makes them).
//
// Polynomials: minimax by Lawson iteration and by Remez exchange, relative error. exp2: degree 5 on [-1/2,
// 1/2], p(0) = 1 exactly so that a decay of zero is exactly 1, 9.2e-8. log1p: 2 atanh(t / (2 + t)), degree 4
// in the square, 4e-9.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "src/core/dtype.hpp"

// Vectors wider than the file's default instruction set may not cross a call; here every such function is
// inlined and none does. The compiler gives its note at the end of the file that includes us, so the switch
// stays off.
#pragma GCC diagnostic ignored "-Wpsabi"

#define BS_INLINE [[gnu::always_inline]] inline

namespace bench::simd {

using F32x16 = float __attribute__((vector_size(64)));
using F32x8 = float __attribute__((vector_size(32)));
using F32x4 = float __attribute__((vector_size(16)));

/// The integer vectors that go with a float vector: equally many 32-bit lanes (signed, unsigned) and 16-bit
/// lanes.
template <class V>
struct IntegersOf;
template <>
struct IntegersOf<F32x16> {
  using I32 = std::int32_t __attribute__((vector_size(64)));
  using U32 = std::uint32_t __attribute__((vector_size(64)));
  using U16 = std::uint16_t __attribute__((vector_size(32)));
};
template <>
struct IntegersOf<F32x8> {
  using I32 = std::int32_t __attribute__((vector_size(32)));
  using U32 = std::uint32_t __attribute__((vector_size(32)));
  using U16 = std::uint16_t __attribute__((vector_size(16)));
};
template <>
struct IntegersOf<F32x4> {
  using I32 = std::int32_t __attribute__((vector_size(16)));
  using U32 = std::uint32_t __attribute__((vector_size(16)));
  using U16 = std::uint16_t __attribute__((vector_size(8)));
};
template <class V>
using I32Of = typename IntegersOf<V>::I32;
template <class V>
using U32Of = typename IntegersOf<V>::U32;
template <class V>
using U16Of = typename IntegersOf<V>::U16;

/// fp32 lanes of V.
template <class V>
inline constexpr int kWidth = static_cast<int>(sizeof(V) / sizeof(float));

/// x in all lanes. Where x is no constant it costs an addition: x may be -0.
template <class V>
BS_INLINE V broadcast(float x) {
  return V{} + x;
}

/// 1 / x to 1.2e-7 relative, for 2^-126 <= |x| < 2^126 (beyond it, zero or infinity). AVX-512 estimates 14 bits, and one step of
/// Newton's squares the error: five cheap operations, where a division blocks its port for 16 cycles.
template <class V>
BS_INLINE V reciprocal(const V& x) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) {
    V r;
    __asm__("vrcp14ps %1, %0" : "=v"(r) : "v"(x));
    return r + r * (1.0F - x * r);
  }
#endif
  return 1.0F / x;
}

/// Larger and smaller of each lane; a NaN in `x` stays.
template <class V>
BS_INLINE V at_least(const V& x, float low) {
  const V limit = broadcast<V>(low);
  return limit > x ? limit : x;
}
template <class V>
BS_INLINE V at_most(const V& x, float high) {
  const V limit = broadcast<V>(high);
  return limit < x ? limit : x;
}

/// Adding this leaves round(x) in the low mantissa bits of the sum, whence a shift moves it into an exponent.
inline constexpr float kRounder = 0x1.8p23F;

/// 2^(i + f) for |f| <= 1/2, where `shifted` is the whole number i plus kRounder.
template <class V>
BS_INLINE V exp2_of_parts(const V& f, const V& shifted) {
  V p = f * 0x1.5bba12p-10F + 0x1.3cea88p-7F;
  p = p * f + 0x1.c6b752p-5F;
  p = p * f + 0x1.ebf9bcp-3F;
  p = p * f + 0x1.62e42ap-1F;
  p = p * f + 1.0F;
  const auto exponent = __builtin_bit_cast(I32Of<V>, shifted) << 23;
  return __builtin_bit_cast(V, __builtin_bit_cast(I32Of<V>, p) + exponent);
}

/// 2^x for -126 <= x <= 127, unchecked: the first choice inside a loop that knows its range.
template <class V>
BS_INLINE V exp2_in_range(const V& x) {
  const V shifted = x + kRounder;
  return exp2_of_parts<V>(x - (shifted - kRounder), shifted);
}

/// 2^x; the result never leaves [2^-126, 2^127].
template <class V>
BS_INLINE V exp2(const V& x) {
  return exp2_in_range<V>(at_least<V>(at_most<V>(x, 127.0F), -126.0F));
}

/// e^x. ln 2 is subtracted in two parts, so that the error does not grow with |x|.
template <class V>
BS_INLINE V exp(const V& x) {
  const V bounded = at_least<V>(at_most<V>(x, 88.0F), -87.3F);
  const V shifted = bounded * 0x1.715476p0F + kRounder;
  const V i = shifted - kRounder;
  const V r = (bounded - i * 0x1.62e4p-1F) - i * 0x1.7f7d1cp-20F;
  return exp2_of_parts<V>(r * 0x1.715476p0F, shifted);
}

/// log(1 + t) for 0 <= t <= 1, accurate also for tiny t, where log(1 + t) computed as written loses all
/// digits.
template <class V>
BS_INLINE V log1p01(const V& t) {
  const V s = t * reciprocal<V>(t + 2.0F);
  const V y = s * s;
  V p = y * 0.2817833423614502F + 0.27960601449012756F;
  p = p * y + 0.40024909377098083F;
  p = p * y + 0.6666631698608398F;
  p = p * y + 2.0F;
  return p * s;
}

/// log(1 + e^v) = max(v, 0) + log1p(e^-|v|). For v > 20 this equals v in fp32, the usual threshold.
template <class V>
BS_INLINE V softplus(const V& v) {
  const V magnitude = v < 0.0F ? -v : v;
  return at_least<V>(v, 0.0F) + log1p01<V>(exp<V>(-magnitude));
}

/// z * sigmoid(z).
template <class V>
BS_INLINE V silu(const V& z) {
  return z * reciprocal<V>(exp<V>(-z) + 1.0F);
}

/// kWidth<V> elements from memory of any alignment, as fp32.
template <class V>
BS_INLINE V load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
/// 16-bit numbers as 32-bit lanes. g++ 12 widens in halves that it puts together again (four instructions
/// more), so the one instruction there is gets named where V is wider than SSE's.
template <class V>
BS_INLINE U32Of<V> load_u16(const void* p) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) > 16) {
    U32Of<V> wide;
    __asm__("vpmovzxwd %1, %0" : "=v"(wide) : "m"(*static_cast<const std::byte(*)[sizeof(U16Of<V>)]>(p)));
    return wide;
  }
#endif
  U16Of<V> v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, U32Of<V>);
}
template <class V>
BS_INLINE V load(const Bf16* p) {
  return __builtin_bit_cast(V, load_u16<V>(p) << 16);
}
template <class V>
BS_INLINE V load(const F16* p) {
#if defined(__x86_64__)
  if constexpr (sizeof(V) == 64) {  // AVX-512 has it; AVX2 only with F16C, which kernels/isa.hpp does not ask for
    typedef U16Of<V> Anywhere __attribute__((aligned(1), may_alias));
    V wide;
    __asm__("vcvtph2ps %1, %0" : "=v"(wide) : "m"(*reinterpret_cast<const Anywhere*>(p)));
    return wide;
  }
#endif
  const U32Of<V> bits = load_u16<V>(p);
  const U32Of<V> magnitude = bits & 0x7fffU;
  const U32Of<V> sign = (bits & 0x8000U) << 16;
  // A product by 2^112 corrects the exponent bias and normalises subnormals; infinity and NaN take the
  // largest exponent instead.
  const V finite = __builtin_bit_cast(V, magnitude << 13) * 0x1p112F;
  const U32Of<V> special = (magnitude << 13) | 0x7f800000U;
  const U32Of<V> value = magnitude >= 0x7c00U ? special : __builtin_bit_cast(U32Of<V>, finite);
  return __builtin_bit_cast(V, value | sign);
}

/// The reverse: rounds to nearest, ties to even, as to_bf16 and to_f16 of src/core/dtype.hpp do.
template <class V>
BS_INLINE void store(float* p, const V& v) {
  std::memcpy(p, &v, sizeof v);
}
template <class V>
BS_INLINE void store_u16(void* p, const U32Of<V>& bits) {
  const auto narrow = __builtin_convertvector(bits, U16Of<V>);
  std::memcpy(p, &narrow, sizeof narrow);
}
template <class V>
BS_INLINE void store(Bf16* p, const V& v) {
  const U32Of<V> u = __builtin_bit_cast(U32Of<V>, v);
  const U32Of<V> rounded = (u + 0x7fffU + ((u >> 16) & 1U)) >> 16;
  const U32Of<V> quiet_nan = (u >> 16) | 0x40U;
  store_u16<V>(p, (u & 0x7fffffffU) > 0x7f800000U ? quiet_nan : rounded);
}
template <class V>
BS_INLINE void store(F16* p, const V& v) {
  const U32Of<V> u = __builtin_bit_cast(U32Of<V>, v);
  const U32Of<V> magnitude = u & 0x7fffffffU;
  const U32Of<V> rebased = magnitude - 0x38000000U;
  const U32Of<V> normal = (rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13;
  // Below 2^-14 the fp32 adder rounds to a multiple of 2^-24.
  const U32Of<V> small = __builtin_bit_cast(U32Of<V>, __builtin_bit_cast(V, magnitude) + 0.5F) - 0x3f000000U;
  const U32Of<V> finite = magnitude < 0x38800000U ? small : normal;
  const U32Of<V> infinite = magnitude > 0x7f800000U ? U32Of<V>{} + 0x7e00U : U32Of<V>{} + 0x7c00U;
  store_u16<V>(p, (magnitude >= 0x477ff000U ? infinite : finite) | ((u >> 16) & 0x8000U));
}

/// The ends of rows: only the first `count` elements if that is less than kWidth<V>; the other lanes are
/// zero, or not stored.
template <class V, class T>
BS_INLINE V load_some(const T* p, std::int64_t count) {
  if (count >= kWidth<V>) return load<V>(p);
  T lanes[kWidth<V>] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i] = p[i];
  return load<V>(lanes);
}
template <class V, class T>
BS_INLINE void store_some(T* p, const V& v, std::int64_t count) {
  if (count >= kWidth<V>) return store<V>(p, v);
  T lanes[kWidth<V>];
  store<V>(lanes, v);
  for (std::int64_t i = 0; i < count; ++i) p[i] = lanes[i];
}

}  // namespace bench::simd
