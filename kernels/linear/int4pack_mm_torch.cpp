// SPDX-License-Identifier: Apache-2.0
// int4pack_mm_torch: y = act(norm(x) w^T + bias) by LibTorch's _weight_int4pack_mm_for_cpu, its weight-only 4-bit
// product.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipes int4wo-G and int4wo-G-hqq; w is quantised
// and packed by _convert_weight_to_int4pack_for_cpu in prepare.
//
// Algorithm: _weight_int4pack_mm_for_cpu(x, packed, G, scales and zeros), then the bias is added. The operator has no
// form that writes into a given tensor: each call allocates its product, as a LibTorch user's would. Its weights are
// (code - 8) scale + zero with codes 0..15: ours.
//
// Work and bytes: 2 M N K FLOPs; N K / 2 bytes of codes and N K / G scales and zero points each, in the dtype.
//
// Error against fp64 with the dequantised weights: fp32 accumulation; 16-bit y rounds before and after the bias. In
// 16 bits its vector code may round the dequantised weights too.
//
// Right choice: as the rival of int4_cpu. Its fast code is for bf16 activations; quote both. N must be a multiple of
// 16, K one of 2 and of the group.
#include <ATen/ops/_convert_weight_to_int4pack_for_cpu.h>
#include <ATen/ops/_weight_int4pack_mm_for_cpu.h>
#include <ATen/ops/add.h>
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/linear/fused_torch.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::linear {
namespace {

struct PackedInt4 : Prepared {
  Tensor figures;  // (K / G, N, 2): scale and zero point in the problem's dtype
  at::Tensor x, weights, scales_and_zeros, bias, y;

  std::vector<std::span<const std::byte>> memory() const override {
    return {{static_cast<const std::byte*>(weights.const_data_ptr()), weights.nbytes()},
            {figures.data(), static_cast<std::size_t>(figures.bytes())}};
  }
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != 4) return concat("recipe ", to_text(p.recipe), "; this kernel has int4wo-G");
  if (p.n % 16 != 0) return "n is not a multiple of 16";
  if (p.k % p.recipe.group != 0) return concat("k is not a multiple of the group ", p.recipe.group);
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  const auto& p = problem_as<LinearProblem>(problem);
  const Quantised q = quantise(tensors["w"], p.recipe, p.dtype, p.threads);
  auto packed = std::make_unique<PackedInt4>();
  packed->figures = Tensor(p.dtype, {q.groups(), p.n, 2});
  for (std::int64_t n = 0; n < p.n; ++n) {
    for (std::int64_t g = 0; g < q.groups(); ++g) {
      const auto at = static_cast<std::size_t>(n * q.groups() + g);
      packed->figures.set((g * p.n + n) * 2, static_cast<double>(q.scale[at]));
      packed->figures.set((g * p.n + n) * 2 + 1, static_cast<double>(q.zero[at]));
    }
  }
  std::vector<std::int32_t> codes(q.codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = q.codes[i] + 8;
  const at::Tensor plain = at::from_blob(codes.data(), {p.n, p.k}, at::TensorOptions().dtype(at::kInt));
  packed->weights = at::_convert_weight_to_int4pack_for_cpu(plain, 1);
  packed->scales_and_zeros = as_torch(packed->figures);
  packed->x = as_torch(tensors["x"]);
  packed->bias = as_torch(tensors["bias"]);
  packed->y = as_torch(tensors["y"]);
  return packed;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  const auto& p = problem_as<LinearProblem>(problem);
  auto& packed = static_cast<PackedInt4&>(*context.prepared);
  const at::Tensor product = at::_weight_int4pack_mm_for_cpu(normalised(p, packed.x), packed.weights, p.recipe.group,
                                                             packed.scales_and_zeros);
  at::add_out(packed.y, product, packed.bias);
  activate(p, packed.y);
}

const Registrar<Kernel> registrar{{
    .name = "linear/int4pack_mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch _weight_int4pack_mm_for_cpu, then the bias",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::linear
