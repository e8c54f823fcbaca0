// SPDX-License-Identifier: Apache-2.0
// int4_cuda: y = act(norm(x) w^T + bias) with 4-bit weights on a GPU, for few rows of x.
//
// Shapes: x (M, K), w (N, K), bias (N) -> y (M, N) in bf16, fp16 or fp32. See linear.hpp. Recipes int4wo-G and int4wo-G-hqq, which differ in their zero points only; w is
// quantised and packed in prepare, which is not timed.
//
// Algorithm: weights are streamed in the order in which tensor cores take them (packets.hpp), unpacked in registers (unpack.hpp; the idea of raising codes into a mantissa is
// that of FasterTransformer's and Marlin's converters, layouts and code are our own) and multiplied with 8 or 16 rows of x in 16 bits, sums in fp32 (skinny_body.hpp).
// Norm, scales, bias and activation are in the one launch. Splits of K fill the device where outputs alone do not.
//
// Bytes: N K / 2 of codes and N K / G scales and zero points of the dtype, once per 16 rows of x (8 in fp32), which is what binds it; x once a tile of 16 or 64 outputs, out of
// L2; where K is split, M N sums in fp32 a split, written and read. Work: 2 M N K FLOPs, padded to 8 rows.
//
// Error against fp64 with the dequantised weights: codes are exact, groups are summed in fp32 before they are scaled, an fp32 x is multiplied in three exact parts; a 16-bit x
// is rounded once more where it is normalised. Then the rounding of y. Bits depend on the cut, hence on the device's size, but not on chance.
//
// Right choice: up to some 16 rows. Beyond, weights are read again and again and int4_mma_cuda shares them among 128 rows.
#include "kernels/linear/device_limits.hpp"
#include "kernels/linear/skinny_launch.cuh"

namespace bench::linear {
namespace {

const Registrar<Kernel> registrar{{
    .name = "linear/int4_cuda",
    .op = "linear",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "4-bit weights by group, streamed into tensor cores for few rows of x; norm and activation fused",
    .example = {{"recipe", std::string("int4wo-128")}},
    .supports = takes_codes<4>,
    .prepare = prepare_skinny<4>,
    .run = run_skinny<4>,
}};

}  // namespace
}  // namespace bench::linear
