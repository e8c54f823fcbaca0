// SPDX-License-Identifier: Apache-2.0
// recurrence_reduce_scan_bwd_cuda: the backward pass of h_t = a_t h_{t-1} + b_t on a GPU, long sequences cut into spans, in three launches and one order.
//
// Shapes: a, h, dh, da, db (B, L, C) or (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, dh_last, dh0 (B, C) in fp32. See recurrence_bwd.hpp. Algorithm:
// recurrence_reduce_scan_cuda's from the last step to the first: r_t = dh_t + a_{t+1} r_{t+1}, with da_t = r_t h_{t-1} beside it in the third launch.
//
// Work: 3 flops a step, two of them three times. Bytes: a and dh twice, h, da and db once: 7/5 of the least. Error against fp64: as the forward kernel's, and
// the rounding of da and db. Bits: the same in every run, whatever the schedule and the device.
//
// Right choice: few long rows or channels, where two runs must agree in every bit. Wrong: where they need not: recurrence_lookback_bwd_cuda.
#include "kernels/scan/recurrence_reduce_scan_launch.cuh"

namespace bench::scan {
namespace {

using ReduceScan = ReduceScanKernel<Sweep::backward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_reduce_scan_bwd_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, spans of steps reduced, their carries scanned, then scanned from there: the same bits in every run",
    .supports = ReduceScan::supports,
    .prepare = ReduceScan::prepare,
    .run = ReduceScan::run,
}};

}  // namespace
}  // namespace bench::scan
