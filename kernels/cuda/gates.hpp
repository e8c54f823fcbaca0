// SPDX-License-Identifier: Apache-2.0
// Gates for one lane of a device, fp32: what kernels/simd_math.hpp has for a CPU's vectors. An exponential and a reciprocal each, on the special function unit.
#pragma once

#include <numbers>

#include "kernels/cuda/function.hpp"

namespace bench::cuda {

inline constexpr float kLog2E = std::numbers::log2e_v<float>;
inline constexpr float kLn2 = std::numbers::ln2_v<float>;

/// 1 / (1 + e^-x); 0 and 1 far out.
template <class M>
BS_DEVICE float sigmoid(float x) {
  return M::reciprocal(1.0F + M::exp2(-kLog2E * x));
}

/// x sigmoid(x), and its derivative.
template <class M>
BS_DEVICE float silu(float x) {
  return x * sigmoid<M>(x);
}
template <class M>
BS_DEVICE float silu_slope(float x) {
  const float s = sigmoid<M>(x);
  return s * (1.0F + x * (1.0F - s));
}

}  // namespace bench::cuda
