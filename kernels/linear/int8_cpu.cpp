// SPDX-License-Identifier: Apache-2.0
// int8_cpu: y = act(norm(x) w^T + bias) with 8-bit weights, one scale an output channel.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N). See linear.hpp. Recipe int8wo only; w is quantised and
// packed in prepare, which is not timed.
//
// Algorithm: where the processor has byte dot products (AVX512-VNNI, AVX-VNNI) x is split into three signed bytes
// (fp32) or two (16 bits), and the products are of whole numbers (dot.hpp); the technique is that of digit-sliced
// integer products (Ootomo et al., "DGEMM on integer matrix multiplication unit", 2024). Elsewhere as plain_cpu, with
// codes widened in registers. The scale is applied to the finished sum.
//
// Work and bytes: 2 M N K FLOPs, in digits x M N K / 64 dot products of 64 bytes; N K bytes of weights, once per 32
// rows of x (96 where they are widened).
//
// Error against fp64 with the dequantised weights: three digits 2^-23 of the largest |x| of 512 inputs, 2e-7 of
// max|y| for normal x; two digits 2^-15, under the rounding of 16-bit x. Infinite x give NaN.
//
// Right choice: for few rows, where reading the weights is what takes the time; with byte dot products also for many.
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
    .about = "8-bit weights by output channel; byte dot products, or widened in registers",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = supports,
    .workspace_bytes = forward_workspace_bytes,
    .prepare = prepare_codes,
    .run = run_forward,
}};

}  // namespace
}  // namespace bench::linear
