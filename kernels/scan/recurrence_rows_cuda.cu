// SPDX-License-Identifier: Apache-2.0
// recurrence_rows_cuda: h_t = a_t h_{t-1} + b_t on a GPU, time last, a block a row of steps.
//
// Shapes: a, b, h (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, h_last (B, C) in fp32. See recurrence.hpp. Algorithm: a block goes through its row in tiles of 256 x
// 16 bytes, the next tile on its way; each thread takes its elements one after the other, warps scan their lanes' maps (a, b) by shuffles (Kogge & Stone
// 1973), warps meet once a tile in shared memory, the state is carried on (accelerated-scan does as much for rows of one tile). Tile:
// recurrence_steps_tile.hpp; any L and alignment, in whole 16 bytes but for a row's two ends.
//
// Work: 2 flops a step twice over (maps, then states), and some 8 a lane for the scan. Bytes: each tensor once, which is what binds it. Error against fp64:
// tree order within a tile, sequential over tiles; a few eps of fp32, and the rounding of h. Products of decays over a tile must not leave fp32's
// range unless what they meet is zero: |a| well above 1 for a thousand steps is nothing for a parallel scan. Bits: the same in every run.
//
// Right choice: many rows, B C of some 4 a multiprocessor or more. Wrong: few long rows, as most of the device has none: recurrence_lookback_cuda.
#include "kernels/scan/recurrence_stream_launch.cuh"

namespace bench::scan {
namespace {

using Rows = StreamKernel<StepsTiles<1>, Sweep::forward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_rows_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "time last, a block a row, its tiles scanned by shuffles and carried on: for many rows",
    .example = {{"time_axis", std::string("last")}},
    .supports = Rows::supports,
    .prepare = Rows::prepare,
    .run = Rows::run,
}};

}  // namespace
}  // namespace bench::scan
