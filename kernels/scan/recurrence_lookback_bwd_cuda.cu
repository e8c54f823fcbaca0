// SPDX-License-Identifier: Apache-2.0
// recurrence_lookback_bwd_cuda: the backward pass of h_t = a_t h_{t-1} + b_t on a GPU in one pass, blocks looking back at each other.
//
// Shapes: a, h, dh, da, db (B, L, C) or (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, dh_last, dh0 (B, C) in fp32. See recurrence_bwd.hpp. Algorithm:
// recurrence_lookback_cuda's from the last step to the first: r_t = dh_t + a_{t+1} r_{t+1}, with da_t = r_t h_{t-1} beside it. Tiles are half as long: there
// is h besides to be held.
//
// Work: 3 flops a step, two of them twice. Bytes: five tensors once, and the records. Error against fp64: as the forward kernel's, and the rounding of da
// and db. Bits: NOT the same in every run; recurrence_reduce_scan_bwd_cuda's are.
//
// Right choice: few long rows or few channels, as forward. Wrong: many of them.
#include "kernels/scan/recurrence_lookback_launch.cuh"

namespace bench::scan {
namespace {

using Lookback = LookbackKernel<Sweep::backward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lookback_bwd_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, one pass over tiles of steps, blocks look back at each other: for few long rows; bits vary from run to run",
    .supports = Lookback::supports,
    .prepare = Lookback::prepare,
    .run = Lookback::run,
}};

}  // namespace
}  // namespace bench::scan
