// SPDX-License-Identifier: Apache-2.0
// int4_cpu: y = x w^T + bias with 4-bit weights, a scale and a zero point for each group of inputs.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipes int4wo-G and int4wo-G-hqq, which
// differ in their zero points only; w is quantised and packed in prepare, which is not timed.
//
// Algorithm: as plain_cpu, with panels that hold two codes a byte. A code becomes a float by one OR into the
// mantissa of 2^23 and one subtraction; scale and zero point are applied once per group, to the group's sum:
// scale * sum(x code) + zero * sum(x). The sums of x are taken once per call.
//
// Work and bytes: 2 M N K FLOPs, and five instructions per two vectors of codes and strip; N K / 2 bytes of
// codes and 8 N K / G of fp32 scales and zero points, once per 96 rows of x.
//
// Error against fp64 with the dequantised weights: as plain_cpu. Where zero * sum(x) cancels most of
// scale * sum(x code), the error is relative to the two and not to their difference.
//
// Right choice: for few rows and weights that do not fit the caches. Wrong: for many rows, as int8_cpu.
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
    .about = "4-bit weights by group, widened in registers",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = supports,
    .workspace_bytes = forward_workspace_bytes,
    .prepare = prepare_codes,
    .run = run_forward,
}};

}  // namespace
}  // namespace bench::linear
