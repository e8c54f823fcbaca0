// SPDX-License-Identifier: Apache-2.0
// recurrence_rows_bwd_cuda: the backward pass of h_t = a_t h_{t-1} + b_t on a GPU, time last, a block a row of steps.
//
// Shapes: a, h, dh, da, db (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, dh_last, dh0 (B, C) in fp32. See recurrence_bwd.hpp. Algorithm: recurrence_rows_cuda's from
// the last step to the first: r_t = dh_t + a_{t+1} r_{t+1}, with da_t = r_t h_{t-1} beside it. The a and the h of a neighbouring step come from the neighbouring
// lane; a warp's first and last lane read one element more.
//
// Work: 3 flops a step, two of them twice, and some 8 a lane for the scan. Bytes: five tensors once, which is what binds it. Error against fp64: as the
// forward kernel's, and the rounding of da and db. Bits: the same in every run.
//
// Right choice: many rows, as forward. Wrong: few long rows: recurrence_lookback_bwd_cuda.
#include "kernels/scan/recurrence_stream_launch.cuh"

namespace bench::scan {
namespace {

using Rows = StreamKernel<StepsTiles<1>, Sweep::backward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_rows_bwd_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, time last, a block a row, its tiles scanned by shuffles and carried on: for many rows",
    .example = {{"time_axis", std::string("last")}},
    .supports = Rows::supports,
    .prepare = Rows::prepare,
    .run = Rows::run,
}};

}  // namespace
}  // namespace bench::scan
