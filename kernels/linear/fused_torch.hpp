// SPDX-License-Identifier: Apache-2.0
// A layer's norm and activation by LibTorch's operators, one after the other, as its users' models run them. Only
// *_torch.cpp files include this.
#pragma once

#include <ATen/ops/gelu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include "kernels/linear/linear.hpp"

namespace bench::linear {

inline at::Tensor normalised(const LinearProblem& p, const at::Tensor& x) {
  return p.norm == Norm::layer ? at::layer_norm(x, {p.k}, {}, {}, kNormEpsilon) : x;
}

/// In place: torch.nn's modules do so when asked to, and it is the faster form.
inline void activate(const LinearProblem& p, at::Tensor& y) {
  switch (p.activation) {
    case Activation::none:
      return;
    case Activation::relu:
      at::relu_(y);
      return;
    case Activation::leakyrelu:
      at::leaky_relu_(y, kLeak);
      return;
    case Activation::relu6:
      at::hardtanh_(y, 0.0, 6.0);
      return;
    case Activation::sigmoid:
      at::sigmoid_(y);
      return;
    case Activation::tanh:
      at::tanh_(y);
      return;
    case Activation::silu:
      at::silu_(y);
      return;
    case Activation::gelu:
      at::gelu_(y);
      return;
    case Activation::hardswish:
      at::hardswish_(y);
      return;
  }
}

}  // namespace bench::linear
