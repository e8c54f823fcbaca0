// SPDX-License-Identifier: Apache-2.0
// The gates of the state-space ops for one lane of a device, fp32: what kernels/simd_math.hpp has for a CPU's vectors. An exponential and a
// reciprocal on the special function unit each, the rest on the FMA pipes.
#pragma once

#include <cmath>

#include "kernels/cuda/function.hpp"

namespace bench::scan {

inline constexpr float kLog2E = 1.44269504088896340736F;
inline constexpr float kLn2 = 0.693147180559945309417F;

/// log(1 + t) for 0 <= t <= 1: 2 atanh(t / (2 + t)), 4e-9 and the reciprocal's ulp. Tiny t keep their digits.
template <class M>
BS_DEVICE float log1p01(float t) {
  const float s = t * M::reciprocal(t + 2.0F), y = s * s;
  float p = y * 0.2817833423614502F + 0.27960601449012756F;
  p = p * y + 0.40024909377098083F;
  p = p * y + 0.6666631698608398F;
  p = p * y + 2.0F;
  return p * s;
}

/// log(1 + e^v); beyond 20, the usual threshold, v itself, as all of its digits are.
template <class M>
BS_DEVICE float softplus(float v) {
  return fmaxf(v, 0.0F) + log1p01<M>(M::exp2(-kLog2E * fabsf(v)));
}

/// 1 / (1 + e^-x).
template <class M>
BS_DEVICE float sigmoid(float x) {
  return M::reciprocal(1.0F + M::exp2(-kLog2E * x));
}

}  // namespace bench::scan
