// SPDX-License-Identifier: Apache-2.0
#include "src/core/dtype.hpp"

#include <array>
#include <utility>

namespace bench {

std::string_view to_text(DType dtype) {
  switch (dtype) {
    case DType::f64: return "fp64";
    case DType::f32: return "fp32";
    case DType::bf16: return "bf16";
    case DType::f16: return "fp16";
  }
  return "?";
}

DType parse_dtype(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, DType>, 14> kNames{{
      {"fp64", DType::f64},   {"float64", DType::f64}, {"double", DType::f64}, {"fp32", DType::f32},
      {"float32", DType::f32}, {"float", DType::f32},   {"bf16", DType::bf16},  {"bfloat16", DType::bf16},
      {"fp16", DType::f16},   {"float16", DType::f16}, {"half", DType::f16},   {"f64", DType::f64},
      {"f32", DType::f32},    {"f16", DType::f16},
  }};
  std::string_view bare = text;
  if (bare.starts_with("torch.")) bare.remove_prefix(6);
  for (const auto& [name, dtype] : kNames)
    if (bare == name) return dtype;
  usage_error(concat("dtype '", text, "' is not known; allowed: fp64, fp32, bf16, fp16"));
}

std::int64_t size_of(DType dtype) {
  return dispatch(dtype, []<class T>() -> std::int64_t { return sizeof(T); });
}

double epsilon_of(DType dtype) {
  switch (dtype) {
    case DType::f64: return 0x1p-52;
    case DType::f32: return 0x1p-23;
    case DType::bf16: return 0x1p-7;
    case DType::f16: return 0x1p-10;
  }
  return 0.0;
}

float to_float(F16 x) {
  const std::uint32_t sign = (x.bits & 0x8000U) << 16;
  const std::uint32_t magnitude = x.bits & 0x7fffU;
  if (magnitude >= 0x7c00U) return std::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13));
  if (magnitude >= 0x0400U) return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000U));
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24F;
  return sign != 0 ? -subnormal : subnormal;
}

F16 to_f16(float x) {
  const auto u = std::bit_cast<std::uint32_t>(x);
  const auto sign = static_cast<std::uint16_t>((u >> 16) & 0x8000U);
  const std::uint32_t magnitude = u & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return {static_cast<std::uint16_t>(sign | 0x7e00U)};
  if (magnitude >= 0x477ff000U) return {static_cast<std::uint16_t>(sign | 0x7c00U)};  // rounds past 65504
  if (magnitude < 0x38800000U) {  // below 2^-14: let the fp32 adder round to a multiple of 2^-24
    const float rounded = std::bit_cast<float>(magnitude) + 0.5F;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(rounded) - 0x3f000000U))};
  }
  const std::uint32_t rebased = magnitude - 0x38000000U;
  return {static_cast<std::uint16_t>(sign | ((rebased + 0xfffU + ((rebased >> 13) & 1U)) >> 13))};
}

}  // namespace bench
