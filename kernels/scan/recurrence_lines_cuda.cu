// SPDX-License-Identifier: Apache-2.0
// recurrence_lines_cuda: h_t = a_t h_{t-1} + b_t on a GPU, time in the middle, lanes along the channels.
//
// Shapes: a, b, h (B, L, C) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, h_last (B, C) in fp32. See recurrence.hpp. Algorithm: a block takes 32 channels (64 of 16 bits where C
// is even) and goes through their steps in tiles of 64: each of its 8 warps has 8 consecutive steps, the next tile's on their way; a lane takes its channel's
// steps one after the other, warps leave what their steps do to a state, (a, b), in shared memory, and the state is carried on. Nothing is shuffled. Tile:
// recurrence_channels_tile.hpp; any L and C.
//
// Work: 2 flops a step twice over (maps, then states). Bytes: each tensor once, which is what binds it; with C not a multiple of 32 (64) the last lanes of a
// block of channels idle. Error against fp64: sequential over 8 steps and over tiles; a few eps of fp32, and the rounding of h. Products of decays over a
// tile must not leave fp32's range unless what they meet is zero. Bits: the same in every run.
//
// Right choice: many channels, B C / 32 of some 4 a multiprocessor or more. Wrong: fewer, or few long sequences: recurrence_lookback_cuda.
#include "kernels/scan/recurrence_stream_launch.cuh"

namespace bench::scan {
namespace {

using Lines = StreamKernel<ChannelsTiles<8>, Sweep::forward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lines_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "time in the middle, a block 32 or 64 channels, warps take steps in turn: for many channels",
    .supports = Lines::supports,
    .prepare = Lines::prepare,
    .run = Lines::run,
}};

}  // namespace
}  // namespace bench::scan
