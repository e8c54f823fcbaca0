// SPDX-License-Identifier: Apache-2.0
// int8_mma_cuda: y = act(norm(x) w^T + bias) with 8-bit weights on a GPU, for many rows of x.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16 or fp16. See linear.hpp. Recipe int8wo; w is quantised and packed in prepare, which is not timed.
//
// Algorithm: as int4_mma_cuda, with codes that are multiplied as they are, exact in either type; an output's scale is put on as its tile is stored.
//
// Work and bytes as int4_mma_cuda's, N K of codes and N scales. Error against fp64 with the dequantised weights: fp32 sums over K, then the rounding of y, and of a normalised x.
// The same bits in every run.
//
// Right choice: from some 32 rows on; below, int8_cuda. Preconditions: K and N multiples of 8.
#include "kernels/linear/codes_launch.cuh"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/int8_mma_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "8-bit weights, unpacked in registers on their way to mma.sync; for many rows of x",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = takes_rows_of_codes<8>,
    .prepare = prepare_codes_product<8>,
    .run = run_codes_product<8>,
}};

}  // namespace
}  // namespace bench::linear
