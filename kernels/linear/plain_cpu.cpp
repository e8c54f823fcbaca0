// SPDX-License-Identifier: Apache-2.0
// plain_cpu: y = act(norm(x) w^T + bias) with the weights in full width. The baseline of this op.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. A quantised recipe is dequantised once,
// in prepare, to fp32: what a layer costs whose kernel cannot read codes, on the same numbers.
//
// Algorithm: weights packed in prepare into panels of 48 output channels (AVX-512; 16 AVX2, 8 plain), x in
// fp32 strips of up to 8 rows; 8 x 3 vectors of accumulators, 512 inputs a block (Goto and van de Geijn,
// "Anatomy of high-performance matrix multiplication", 2008). Threads share panels, and blocks of 96 rows
// when M is large.
//
// Work and bytes: 2 M N K FLOPs; the weights once per 96 rows of x.
//
// Error against fp64: fp32 sums over 512 inputs, then of those; below 3e-7 sqrt(K) of max|y|. 16-bit y rounds
// once.
//
// Right choice: as the yardstick for quantised layers, and for layers that are not. Wrong: for 16-bit
// throughput at large M; it widens to fp32 and gains nothing from 16-bit dot products.
#include "kernels/linear/layer.hpp"

namespace bench::linear {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (!p.recipe.quantised()) return pack_plain(p, tensors["w"]);
  return pack_quantised(p, quantise(tensors["w"], p.recipe, p.dtype, p.threads), true);
}

const Registrar<Kernel> registrar{{
    .name = "linear/plain_cpu",
    .op = "linear",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "register-tiled, packed weights in full width; the baseline",
    .workspace_bytes = forward_workspace_bytes,
    .prepare = prepare,
    .run = run_forward,
}};

}  // namespace
}  // namespace bench::linear
