// SPDX-License-Identifier: Apache-2.0
// recurrence_lines_bwd_cuda: the backward pass of h_t = a_t h_{t-1} + b_t on a GPU, time in the middle, lanes along the channels.
//
// Shapes: a, h, dh, da, db (B, L, C) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, dh_last, dh0 (B, C) in fp32. See recurrence_bwd.hpp. Algorithm: recurrence_lines_cuda's from
// the last step to the first: r_t = dh_t + a_{t+1} r_{t+1}, with da_t = r_t h_{t-1} beside it. A warp reads one row of a twice, the one that its first step
// shares with the warp before it.
//
// Work: 3 flops a step, two of them twice. Bytes: five tensors once and an eighth of a again, from L2, which is what binds it. Error against fp64: as the
// forward kernel's, and the rounding of da and db. Bits: the same in every run.
//
// Right choice: many channels, as forward. Wrong: fewer, or few long sequences: recurrence_lookback_bwd_cuda.
#include "kernels/scan/recurrence_stream_launch.cuh"

namespace bench::scan {
namespace {

using Lines = StreamKernel<ChannelsTiles<8>, Sweep::backward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lines_bwd_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, time in the middle, a block 32 or 64 channels, warps take steps in turn: for many channels",
    .supports = Lines::supports,
    .prepare = Lines::prepare,
    .run = Lines::run,
}};

}  // namespace
}  // namespace bench::scan
