// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_torch: h_t = a_t * h_{t-1} + b_t as a loop over steps of LibTorch's fused addcmul.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp. fp32 and fp64: addcmul keeps its state in
// the tensors' type, and a 16-bit state drifts beyond the op's tolerance.
//
// Algorithm: addcmul_out(h[:, t], b[:, t], a[:, t], h[:, t-1]), one call a step on (B, C) slices. The slices
// are made once, in prepare, which is the friendliest form for LibTorch: no allocation and no view in the
// loop. Where a packed sequence begins b is copied. Its own threads share a slice when that is large.
//
// Work and bytes: 2 B L C FLOPs; reads a, b and the previous h, writes h; one dispatch a step.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write for this layout. Its cost at small B C
// is the L calls.
#include "kernels/scan/recurrence_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch addcmul, one call a step",
    .supports = needs_time_middle,
    .prepare = prepare_on_host<RecurrenceLoop>,
    .run = run_on_host<RecurrenceLoop>,
}};

}  // namespace
}  // namespace bench::scan
