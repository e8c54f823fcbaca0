// SPDX-License-Identifier: Apache-2.0
// int4_cpu: y = act(norm(x) w^T + bias) with 4-bit weights, a scale and a zero point for each group of inputs.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipes int4wo-G and int4wo-G-hqq, which
// differ in their zero points only; w is quantised and packed in prepare, which is not timed.
//
// Algorithm: as int8_cpu, with panels that hold two codes a byte: three bit operations make two vectors of bytes for
// the dot products. Scale and zero point are applied once per group, to the group's sum: scale * sum(x code) +
// zero * sum(x). Where codes are widened, one becomes a float by an OR into the mantissa of 2^23 and a subtraction.
//
// Work and bytes: 2 M N K FLOPs, in digits x M N K / 64 dot products; N K / 2 bytes of codes and N K / G scales and
// zero points each, in the dtype (fp32 where they are widened), once per 32 rows of x.
//
// Error against fp64 with the dequantised weights: as int8_cpu, with the largest |x| of a group. Where zero * sum(x)
// cancels most of scale * sum(x code), the error is relative to the two and not to their difference.
//
// Right choice: for few rows and weights that do not fit the caches.
#include "kernels/linear/layer.hpp"

namespace bench::linear {
namespace {

std::string supports(const Problem& problem) {
  const Recipe& recipe = problem_as<LinearProblem>(problem).recipe;
  return recipe.bits == 4 ? std::string() : concat("recipe ", to_text(recipe), "; this kernel has int4wo-G");
}

const Registrar<Kernel> registrar{{
    .name = "linear/int4_cpu",
    .op = "linear",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "4-bit weights by group; byte dot products, or widened in registers",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = supports,
    .workspace_bytes = forward_workspace_bytes,
    .prepare = prepare_codes,
    .run = run_forward,
}};

}  // namespace
}  // namespace bench::linear
