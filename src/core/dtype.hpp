// SPDX-License-Identifier: Apache-2.0
// Element types: their names, sizes, the two 16-bit formats as plain structs, and the one runtime dispatch.
//
// bf16 and fp16 store bits only and convert to float and back with round-to-nearest-even (IEEE 754); arithmetic happens in fp32
// or fp64. NaN stays NaN, overflow goes to infinity, fp16 subnormals are kept.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/core/error.hpp"

namespace bench {

enum class DType : std::uint8_t { f64, f32, bf16, f16 };

struct Bf16 {
  std::uint16_t bits = 0;
};
struct F16 {
  std::uint16_t bits = 0;
};

std::string_view to_text(DType dtype);
/// Accepts fp64 fp32 bf16 fp16 and the long names (float64, torch.bfloat16, half, ...). Throws a usage error otherwise.
DType parse_dtype(std::string_view text);
std::int64_t size_of(DType dtype);
/// Unit roundoff times two (spacing of numbers next to 1): 2^-52, 2^-23, 2^-7, 2^-10.
double epsilon_of(DType dtype);

inline float to_float(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }
inline Bf16 to_bf16(float x) {
  const auto u = std::bit_cast<std::uint32_t>(x);
  if ((u & 0x7fffffffU) > 0x7f800000U) return {static_cast<std::uint16_t>((u >> 16) | 0x40U)};  // keep NaN a NaN
  return {static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16)};
}
float to_float(F16 x);
F16 to_f16(float x);

/// One overload set, so that templated kernels read and write any element type through fp32 (fp64 stays fp64).
inline double load(double x) { return x; }
inline float load(float x) { return x; }
inline float load(Bf16 x) { return to_float(x); }
inline float load(F16 x) { return to_float(x); }

template <class T>
T store(double x) {
  return static_cast<T>(x);
}
template <>
inline Bf16 store<Bf16>(double x) {
  return to_bf16(static_cast<float>(x));
}
template <>
inline F16 store<F16>(double x) {
  return to_f16(static_cast<float>(x));
}

/// What sums over elements of this type are kept in: fp64 for fp64, fp32 for all others.
inline DType accumulator_of(DType dtype) {
  return dtype == DType::f64 ? DType::f64 : DType::f32;
}

/// Calls f.template operator()<T>() with the element type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64: return f.template operator()<double>();
    case DType::f32: return f.template operator()<float>();
    case DType::bf16: return f.template operator()<Bf16>();
    case DType::f16: return f.template operator()<F16>();
  }
  throw Error(ErrorKind::internal, "dispatch: not an element type");
}

}  // namespace bench
