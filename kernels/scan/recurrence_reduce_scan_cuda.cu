// SPDX-License-Identifier: Apache-2.0
// recurrence_reduce_scan_cuda: h_t = a_t h_{t-1} + b_t on a GPU, long sequences cut into spans, in three launches and one order.
//
// Shapes: a, b, h (B, L, C) or (B, C, L) in fp32, bf16, fp16 or pairs of fp32 (complex);
// h0, h_last (B, C) in fp32. See recurrence.hpp. Algorithm: reduce, then scan (Blelloch 1990):
// (1) what each span but the last does to a state, (a, b); (2) from h0 the state before each span, a warp a channel; (3) each span from there. (1) and (3) go
// through a span in tiles, as recurrence_rows_cuda and recurrence_lines_cuda through a whole row: recurrence_stream.hpp. One span: (3) alone.
//
// Work: 2 flops a step three times over. Bytes: a and b twice and h once, 5/3 of the least, which is what binds it; 12 bytes a channel and span. Error
// against fp64: tree order; a few eps of fp32, and the rounding of h. Products of decays over a span must not leave fp32's range unless what
// they meet is zero. Bits: the same in every run, whatever the schedule and the device, as spans follow from the layout alone.
//
// Right choice: few long rows or channels, where two runs must agree in every bit. Wrong: where they need not, as recurrence_lookback_cuda reads once.
#include "kernels/scan/recurrence_reduce_scan_launch.cuh"

namespace bench::scan {
namespace {

using ReduceScan = ReduceScanKernel<Sweep::forward>;

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_reduce_scan_cuda",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "spans of steps reduced, their carries scanned, then scanned from there: few long rows with the same bits in every run",
    .supports = ReduceScan::supports,
    .prepare = ReduceScan::prepare,
    .run = ReduceScan::run,
}};

}  // namespace
}  // namespace bench::scan
