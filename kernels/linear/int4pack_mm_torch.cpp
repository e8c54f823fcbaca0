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

#include "kernels/linear/linear_torch.hpp"

namespace bench::linear {
namespace {

struct OnCpu {
  static at::Tensor pack(const at::Tensor& codes, c10::Device) { return at::_convert_weight_to_int4pack_for_cpu(codes, 1); }
  static at::Tensor product(const at::Tensor& x, const at::Tensor& weights, std::int64_t group, const at::Tensor& scales_and_zeros) {
    return at::_weight_int4pack_mm_for_cpu(x, weights, group, scales_and_zeros);
  }
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != 4) return concat("recipe ", to_text(p.recipe), "; this kernel has int4wo-G");
  if (p.n % 16 != 0) return "n is not a multiple of 16";
  if (p.k % p.recipe.group != 0) return concat("k is not a multiple of the group ", p.recipe.group);
  return {};
}

const Registrar<Kernel> registrar{{
    .name = "linear/int4pack_mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch _weight_int4pack_mm_for_cpu, then the bias",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = supports,
    .prepare = prepare_on_host<PackedInt4<OnCpu>>,
    .run = run_on_host<PackedInt4<OnCpu>>,
}};

}  // namespace
}  // namespace bench::linear
