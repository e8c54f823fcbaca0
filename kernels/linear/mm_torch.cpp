// SPDX-License-Identifier: Apache-2.0
// mm_torch: y = act(norm(x) w^T + bias) by LibTorch's addmm in the problem's dtype, norm and activation by operators
// of their own.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. A quantised recipe is dequantised once,
// in prepare, and rounded to the dtype.
//
// Algorithm: addmm_out(bias, x, w^T) into y, which is what torch.nn.functional.linear calls; LibTorch hands
// it to oneDNN or MKL.
//
// Work and bytes: 2 M N K FLOPs; the weights in the problem's dtype.
//
// Error against fp64: fp32 accumulation; in 16 bits also the rounding of dequantised weights, which averages
// out.
//
// Right choice: as what a LibTorch user has without quantisation.
#include <ATen/ops/addmm.h>
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/linear/fused_torch.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::linear {
namespace {

struct Matrices : Prepared {
  Tensor weights;  // dequantised; empty when the recipe is none
  at::Tensor x, transposed, bias, y;

  std::vector<std::span<const std::byte>> memory() const override {
    return {{weights.data(), static_cast<std::size_t>(weights.bytes())}};
  }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const c10::InferenceMode inference;
  const auto& p = problem_as<LinearProblem>(problem);
  auto matrices = std::make_unique<Matrices>();
  if (p.recipe.quantised()) {
    const Quantised q = quantise(tensors["w"], p.recipe, p.dtype, p.threads);
    matrices->weights = Tensor(p.dtype, {p.n, p.k});
    for (std::int64_t i = 0; i < p.n * p.k; ++i)
      matrices->weights.set(i, static_cast<double>(q.value(i / p.k, i % p.k)));
  }
  matrices->x = as_torch(tensors["x"]);
  matrices->transposed = as_torch(p.recipe.quantised() ? matrices->weights : tensors["w"]).t();
  matrices->bias = as_torch(tensors["bias"]);
  matrices->y = as_torch(tensors["y"]);
  return matrices;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  auto& matrices = static_cast<Matrices&>(*context.prepared);
  const auto& p = problem_as<LinearProblem>(problem);
  at::addmm_out(matrices.y, matrices.bias, normalised(p, matrices.x), matrices.transposed);
  activate(p, matrices.y);
}

const Registrar<Kernel> registrar{{
    .name = "linear/mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16},
    .about = "LibTorch addmm, weights in full width",
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::linear
