// SPDX-License-Identifier: Apache-2.0
// A layer of codes made ready for byte dot products (dot.hpp), and its forward pass.
#pragma once

#include <memory>

#include "kernels/kernel.hpp"
#include "kernels/linear/dot.hpp"
#include "kernels/linear/linear.hpp"

namespace bench::linear {

struct DotLayer : Prepared {
  const DotEngine* engine = nullptr;
  WeightFormat format = WeightFormat::int8;
  DType figures = DType::f32;  // int4's scales and zero points: as narrow as the layer stores them
  std::int64_t depth = 0;      // K, padded to kDotGrain
  std::int64_t group = kDotGroup;
  std::int64_t digits = 3;
  Tensor panels;       // of dot.hpp's layout
  Tensor scale, zero;  // int4: (N / panel, groups, panel) of `figures`; int8: scale (N padded) in fp32

  std::int64_t groups() const { return (depth + group - 1) / group; }
  std::vector<std::span<const std::byte>> memory() const override;
};

std::unique_ptr<DotLayer> pack_for_dot(const LinearProblem& problem, const Quantised& q, const DotEngine& engine);

std::int64_t dot_workspace_bytes(const LinearProblem& problem);
void dot_forward(const LinearProblem& problem, const DotLayer& layer, Tensors& tensors, Context& context);

}  // namespace bench::linear
