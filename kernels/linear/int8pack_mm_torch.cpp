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
#include "kernels/linear/linear_torch.hpp"

namespace bench::linear {
namespace {

std::string supports(const Problem& problem) {
  const auto& p = problem_as<LinearProblem>(problem);
  if (p.recipe.bits != 8) return concat("recipe ", to_text(p.recipe), "; this kernel has int8wo");
  if (p.k % 16 != 0 || p.n % 4 != 0) return "k is not a multiple of 16, or n not one of 4";
  return {};
}

const Registrar<Kernel> registrar{{
    .name = "linear/int8pack_mm_torch",
    .op = "linear",
    .backend = Backend::torch,
    .dtypes = {DType::f32, DType::bf16},
    .about = "LibTorch _weight_int8pack_mm, then the bias",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = supports,
    .prepare = prepare_on_host<PackedInt8>,
    .run = run_on_host<PackedInt8>,
}};

}  // namespace
}  // namespace bench::linear
