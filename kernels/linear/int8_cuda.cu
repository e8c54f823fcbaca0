// SPDX-License-Identifier: Apache-2.0
// int8_cuda: y = act(norm(x) w^T + bias) with 8-bit weights on a GPU, for few rows of x.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16, fp16 or fp32. See linear.hpp. Recipe int8wo; w is quantised and packed in prepare, which is not timed.
//
// Algorithm: as int4_cuda, with packets of half as many inputs and one scale an output, which is applied to the whole sum (skinny_body.hpp). Codes become bf16 or fp16 by their
// low bits and their sign apart (unpack.hpp), exactly.
//
// Bytes: N K of codes and N scales, once per 16 rows of x (8 in fp32), which is what binds it; the rest as int4_cuda. Work: 2 M N K FLOPs, padded to 8 rows. Error against fp64
// with the dequantised weights, and bits: as int4_cuda.
//
// Right choice: up to some 16 rows; beyond, int8_mma_cuda.
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/skinny_launch.cuh"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/int8_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "8-bit weights, streamed into tensor cores for few rows of x; norm and activation fused",
    .example = {{"recipe", std::string("int8wo")}},
    .supports = takes_codes<8>,
    .prepare = prepare_skinny<8>,
    .run = run_skinny<8>,
}};

}  // namespace
}  // namespace bench::linear
