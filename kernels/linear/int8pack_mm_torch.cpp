// SPDX-License-Identifier: Apache-2.0
// int8pack_mm_torch: y = act(norm(x) w^T + bias) by LibTorch's _weight_int8pack_mm, its weight-only 8-bit product.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipe int8wo only; w is quantised in
// prepare.
//
// Algorithm: _weight_int8pack_mm(x, codes, scales), then the bias is added. The operator has no form that
// writes into a given tensor: each call allocates its product, as a LibTorch user's would.
//
// Work and bytes: 2 M N K FLOPs; N K bytes of weights.
//
// Error against fp64 with the dequantised weights: fp32 accumulation; 16-bit y rounds before and after the
// bias.
//
// Right choice: as the rival of int8_cpu. Its vector code is for bf16 activations: with fp32 ones it is
// scalar and tens of times slower, so quote both. K must be a multiple of 16, N one of 4: its loops have no
// remainder.
#include <ATen/ops/_weight_int8pack_mm.h>
#include <ATen/ops/add.h>
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/linear/fused_torch.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::linear {
namespace {

struct PackedInt8 : Prepared {
  Quantised quantised;
  Tensor scales;  // (N) in the problem's dtype
  at::Tensor x, codes, scale, bias, y;

  std::vector<std::span<const std::byte>> memory() const override {
    return {std::as_bytes(std::span(quantised.codes)), {scales.data(), static_cast<std::size_t>(scales.bytes())}};
  }
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != 8) return concat("recipe ", to_text(p.recipe), "; this kernel has int8wo");
  if (p.k % 16 != 0 || p.n % 4 != 0) return "k is not a multiple of 16, or n not one of 4";
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const c10::InferenceMode inference;
  const auto& p = problem_as<LinearProblem>(problem);
  auto packed = std::make_unique<PackedInt8>();
  packed->quantised = quantise(tensors["w"], p.recipe, p.dtype, p.threads);
  packed->scales = Tensor(p.dtype, {p.n});
  for (std::int64_t n = 0; n < p.n; ++n)
    packed->scales.set(n, static_cast<double>(packed->quantised.scale[static_cast<std::size_t>(n)]));
  packed->codes =
      at::from_blob(packed->quantised.codes.data(), {p.n, p.k}, at::TensorOptions().dtype(at::kChar));
  packed->scale = as_torch(packed->scales);
  packed->x = as_torch(tensors["x"]);
  packed->bias = as_torch(tensors["bias"]);
  packed->y = as_torch(tensors["y"]);
  return packed;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  auto& packed = static_cast<PackedInt8&>(*context.prepared);
  const auto& p = problem_as<LinearProblem>(problem);
  at::add_out(packed.y, at::_weight_int8pack_mm(normalised(p, packed.x), packed.codes, packed.scale), packed.bias);
  activate(p, packed.y);
}

const Registrar<Kernel> registrar{{
    .name = "linear/int8pack_mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16},
    .about = "LibTorch _weight_int8pack_mm, then the bias",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::linear
