// SPDX-License-Identifier: Apache-2.0
// What a device's kernels do with a sum before it is an output: a scale, the bias, the activation (fused.hpp), in fp32, rounded once.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/gates.hpp"
#include "kernels/cuda/lanes.hpp"
#include "kernels/linear/fused.hpp"
#include "src/core/dtype.hpp"

namespace bench::linear {

/// A NaN stays one.
BS_DEVICE float from_0_to_6(float x) { return x < 0.0F ? 0.0F : x > 6.0F ? 6.0F : x; }

template <class M>
BS_DEVICE float activated(Activation activation, float x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0.0F ? 0.0F : x;
    case Activation::leakyrelu:
      return x < 0.0F ? static_cast<float>(kLeak) * x : x;
    case Activation::relu6:
      return from_0_to_6(x);
    case Activation::sigmoid:
      return cuda::sigmoid<M>(x);
    case Activation::tanh:
      return tanhf(x);
    case Activation::silu:
      return cuda::silu<M>(x);
    case Activation::gelu:
      return 0.5F * x * (1.0F + erff(x * 0.70710678F));
    case Activation::hardswish:
      return x * from_0_to_6(x + 3.0F) * (1.0F / 6.0F);
  }
  return x;
}

/// Of output channel `n`; scales null: 1.
struct Finish {
  const void *bias, *scales;
  Activation activation;

  template <class M, class T>
  BS_DEVICE float value(float sum, int n) const {
    if (scales != nullptr) sum *= cuda::value<M>(static_cast<const T*>(scales)[n]);
    return activated<M>(activation, sum + cuda::value<M>(static_cast<const T*>(bias)[n]));
  }
};

}  // namespace bench::linear
