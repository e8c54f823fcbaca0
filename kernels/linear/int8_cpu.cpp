// SPDX-License-Identifier: Apache-2.0
// int8_cpu: y = x w^T + bias with 8-bit weights, one scale an output channel.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipe int8wo only; w is quantised and
// packed in prepare, which is not timed.
//
// Algorithm: as plain_cpu, with panels of codes that are widened in registers (sign extension, conversion),
// one byte of memory a weight; the scale is applied to the finished sum.
//
// Work and bytes: 2 M N K FLOPs, and two instructions per vector of codes and strip; N K bytes of weights,
// once per 96 rows of x.
//
// Error against fp64 with the dequantised weights: as plain_cpu; the codes are exact in fp32.
//
// Right choice: for few rows, where reading the weights is what takes the time. Wrong: for many; plain_cpu
// does not pay for widening.
#include "kernels/linear/layer.hpp"

namespace bench::linear {
namespace {

std::string supports(const Problem& problem) {
  const Recipe& recipe = problem_as<LinearProblem>(problem).recipe;
  return recipe.bits == 8 ? std::string() : concat("recipe ", to_text(recipe), "; this kernel has int8wo");
}

const Registrar<Kernel> registrar{{
    .name = "linear/int8_cpu",
    .op = "linear",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "8-bit weights by output channel, widened in registers",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = supports,
    .workspace_bytes = forward_workspace_bytes,
    .prepare = prepare_codes,
    .run = run_forward,
}};

}  // namespace
}  // namespace bench::linear
