// SPDX-License-Identifier: Apache-2.0
// Capped scores on a device: of a raw score s (unscaled) and a limit c, c tanh(s / c), and what a gradient is multiplied by on its way back.
#pragma once

#include "kernels/attention/softmax_state.hpp"
#include "kernels/cuda/function.hpp"

namespace bench::attention {

/// limit tanh(s / limit), by 1 - 2 / (1 + 2^x): its error is that of 2^x next to 1, where tanh.approx's is 5e-4.
template <class M>
BS_DEVICE float capped(float s, float limit) {
  return limit - 2.0F * limit * M::reciprocal(1.0F + M::exp2(s * (2.0F * static_cast<float>(kLog2E) * M::reciprocal(limit))));
}

/// The derivative of that by s, from its value; 0 of minus infinity, which is a score that is hidden.
template <class M>
BS_DEVICE float cap_slope(float value, float limit) {
  const float tanh = fmaxf(value, -limit) * M::reciprocal(limit);
  return 1.0F - tanh * tanh;
}

}  // namespace bench::attention
