// SPDX-License-Identifier: Apache-2.0
// int4_mma_cuda: y = act(norm(x) w^T + bias) with 4-bit weights on a GPU, for many rows of x.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16 or fp16. See linear.hpp. Recipes int4wo-G and int4wo-G-hqq; w is quantised and packed in prepare, which is not timed.
//
// Algorithm: plain_cuda's product (kernels/cuda/gemm_mma.hpp) with w unpacked and dequantised in registers on its way from shared memory to mma.sync (codes_operand.hpp; Marlin,
// Frantar et al. 2024, is the model of packing weights as the instruction wants them). Packets and scales come with x's tiles, in three stages of asynchronous copies. Bias and
// activation as a tile is stored; the norm is a launch before it, for plain_cuda's reasons.
//
// Work: 2 M N K FLOPs; a code is unpacked once per 64 rows of x, some four instructions a pair. Bytes: N K / 2 of codes, scales and zero points once per 128 rows, x once per tile's
// width of outputs. Error against fp64 with the dequantised weights: these are rounded to the dtype as they are multiplied, as a layer has them that stores them
// dequantised; fp32 sums over K; the rounding of y, and of a normalised x. The same bits in every run.
//
// Right choice: from some 32 rows on; below, int4_cuda, which also rounds no weight. Preconditions: K and N multiples of 8.
#include "kernels/linear/codes_launch.cuh"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/int4_mma_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "4-bit weights by group, dequantised in registers on their way to mma.sync; for many rows of x",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = takes_rows_of_codes<4>,
    .prepare = prepare_codes_product<4>,
    .run = run_codes_product<4>,
}};

}  // namespace
}  // namespace bench::linear
