// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_bwd_torch: the backward pass of h_t = a_t * h_{t-1} + b_t, written by hand as a loop of
// LibTorch's in-place addcmul: db_t = dh_t + a_{t+1} db_{t+1}, da_t = db_t h_{t-1}.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; h is the saved forward
// result. fp32 and fp64: addcmul keeps its state in the tensors' type.
//
// Algorithm: db starts as a copy of dh; from the last step to the first db[:, t-1] += a[:, t] * db[:, t], on
// slices made in prepare; then da is one product of whole tensors. dh0 = a_1 db_1.
//
// Work and bytes: 3 B L C FLOPs; ten streams of B L C elements where five are needed.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form in LibTorch, what a custom autograd function would hold. What autograd
// itself makes of the forward loop is recurrence_autograd_bwd_torch.
#include "kernels/scan/recurrence_torch_bwd.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_bwd_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch in-place addcmul, one call a step, by hand",
    .supports = needs_time_middle,
    .prepare = prepare_on_host<RecurrenceLoopBackward>,
    .run = run_on_host<RecurrenceLoopBackward>,
}};

}  // namespace
}  // namespace bench::scan
