// SPDX-License-Identifier: Apache-2.0
// recurrence_lookback_cuda: h_t = a_t h_{t-1} + b_t on a GPU in one pass, long sequences cut into tiles, blocks looking back at each other.
//
// Shapes: a, b, h (B, L, C) or (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, h_last (B, C) in fp32. See recurrence.hpp. Algorithm: decoupled look-back (Merrill &
// Garland, NVR-2016-002) over maps h -> a h + b, the earlier on the left. What is waited for, why nobody waits for ever, and why half-written records do no
// harm: recurrence_lookback.hpp; tiles and how many: recurrence_lookback_launch.cuh.
//
// Work: 2 flops a step twice over (maps, then states). Bytes: each tensor once, which is what binds it; a record of 16 bytes a channel and tile is written
// twice and read some ten times from L2 (0.3 % of a tile written with time last, 4 % with time in the middle). Memory: the records. Error against fp64: tree
// order; a few eps of fp32, and the rounding of h. Products of decays over a tile must not leave fp32's range unless what they meet is zero.
// Bits: NOT the same in every run, as a state is put together from maps or from states as they come; recurrence_reduce_scan_cuda's are.
//
// Right choice: few long rows, or few channels, too few for a block each to fill the device. Wrong: many: recurrence_rows_cuda, recurrence_lines_cuda wait
// for nobody.
#include "kernels/scan/recurrence_lookback_launch.cuh"

namespace bench::scan {
namespace {

using Lookback = LookbackKernel<Sweep::forward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lookback_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "one pass over tiles of steps, blocks look back at each other: for few long rows; bits vary from run to run",
    .supports = Lookback::supports,
    .prepare = Lookback::prepare,
    .run = Lookback::run,
}};

}  // namespace
}  // namespace bench::scan
