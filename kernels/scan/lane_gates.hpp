// SPDX-License-Identifier: Apache-2.0
// The gates of the state-space ops for one lane of a device, fp32: those of kernels/cuda/gates.hpp and softplus, an exponential and a reciprocal on the special
// function unit, the rest on the FMA pipes.
#pragma once

#include <cmath>

#include "kernels/cuda/gates.hpp"

namespace bench::scan {

using cuda::kLn2;
using cuda::kLog2E;
using cuda::sigmoid;

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

}  // namespace bench::scan
