// SPDX-License-Identifier: Apache-2.0
// recurrence_autograd_bwd_torch: what LibTorch's autograd makes of h_t = a_t * h_{t-1} + b_t as a loop.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp. fp32 and fp64.
//
// Algorithm: the forward loop h_t = addcmul(b_t, a_t, h_{t-1}) and its stack are recorded in prepare, on the b
// that leads to the saved h (b_t = h_t - a_t h_{t-1}); run is autograd's backward through that record, and
// nothing of the forward pass is timed.
//
// Work and bytes: per step three products and two sums in new tensors, and two gathers of all slices.
//
// Error against fp64: as the sequential kernel; the recorded h is rounded twice.
//
// Right choice: as what a user has who writes no backward pass.
#include "kernels/scan/recurrence_torch_bwd.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_autograd_bwd_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd through the loop of addcmul; its forward is not timed",
    .supports = needs_time_middle,
    .prepare = prepare_on_host<RecurrenceAutograd>,
    .run = run_on_host<RecurrenceAutograd>,
}};

}  // namespace
}  // namespace bench::scan
