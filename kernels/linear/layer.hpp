// SPDX-License-Identifier: Apache-2.0
// A linear layer made ready for the CPU, and its forward pass: what the cpu kernels of this folder share.
// They differ in the format they give the weights.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/kernel.hpp"
#include "kernels/linear/linear.hpp"
#include "kernels/linear/tile.hpp"

namespace bench::linear {

/// Weights in panels of the engine that will read them. Padded output channels and inputs hold zeros.
struct PackedLayer : Prepared {
  const TileEngine* engine = nullptr;
  WeightFormat format = WeightFormat::f32;
  std::int64_t depth = 0;  // K, padded to kDepthGrain
  std::int64_t group = kDepthBlock;
  Tensor panels;       // (N / panel, depth, panel) in the format's bytes
  Tensor scale, zero;  // int4: (N / panel, groups, panel); int8: scale (N padded); fp32

  std::int64_t groups() const { return (depth + group - 1) / group; }
  std::vector<std::span<const std::byte>> memory() const override;
};

/// Packs w as it is: fp32, bf16 or fp16 panels.
std::unique_ptr<PackedLayer> pack_plain(const LinearProblem& problem, const Tensor& w);
/// Packs codes: int8 or int4 panels, or, with `widen`, their values as fp32 ones.
std::unique_ptr<PackedLayer> pack_quantised(const LinearProblem& problem, const Quantised& q, bool widen);

/// Kernel::prepare of the kernels that read codes: quantises w by the problem's recipe and packs it, for byte dot
/// products where the processor has them (dot.hpp), else for widening.
std::unique_ptr<Prepared> prepare_codes(const Problem& problem, Tensors& tensors, Context&);

/// Bytes that forward needs: the activations in fp32, strip by strip, and their sums by group. Enough for
/// every engine and format.
std::int64_t forward_workspace_bytes(const Problem& problem);

/// y = x w^T + bias with the packed weights in context.prepared.
void run_forward(const Problem& problem, Tensors& tensors, Context& context);

}  // namespace bench::linear
