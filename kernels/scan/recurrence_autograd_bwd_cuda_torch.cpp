// SPDX-License-Identifier: Apache-2.0
// recurrence_autograd_bwd_cuda_torch: what LibTorch's autograd makes of h_t = a_t * h_{t-1} + b_t as a loop, on a GPU.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; the form is recurrence_autograd_bwd_torch's, in
// recurrence_torch_bwd.hpp. fp32 and fp64.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// The forward loop is recorded in prepare and not timed. Work and bytes: per step three products and two sums in new tensors, and two gathers of all slices.
//
// Error against fp64: as the sequential kernel's; the recorded h is rounded twice.
//
// Right choice: as what a user has who writes no backward pass. Its launches are five a step: see recurrence_loop_cuda_torch.
#include "kernels/scan/recurrence_torch_bwd.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_autograd_bwd_cuda_torch",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd on the GPU through the loop of addcmul; its forward is not timed",
    .supports = needs_time_middle,
    .prepare = prepare_on_device<RecurrenceAutograd>,
    .run = run_on_device<RecurrenceAutograd>,
}};

}  // namespace
}  // namespace bench::scan
