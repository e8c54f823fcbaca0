// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_bwd_cuda_torch: the backward pass of h_t = a_t * h_{t-1} + b_t on a GPU by hand, as a loop of LibTorch's in-place addcmul.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; the form is recurrence_loop_bwd_torch's, in
// recurrence_torch_bwd.hpp. fp32 and fp64.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Work and bytes: 3 B L C FLOPs, ten streams where five are needed; L launches a call, see recurrence_loop_cuda_torch on what that means.
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: never for speed; it is what users write first.
#include "kernels/scan/recurrence_torch_bwd.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_bwd_cuda_torch",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch in-place addcmul on the GPU, one call a step, by hand",
    .supports = needs_time_middle,
    .prepare = prepare_on_device<RecurrenceLoopBackward>,
    .run = run_on_device<RecurrenceLoopBackward>,
}};

}  // namespace
}  // namespace bench::scan
