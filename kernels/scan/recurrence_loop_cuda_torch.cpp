// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_cuda_torch: h_t = a_t * h_{t-1} + b_t on a GPU as a loop over steps of LibTorch's fused addcmul.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp; the form is recurrence_loop_torch's, in recurrence_torch.hpp. fp32 and fp64.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Work and bytes: 2 B L C FLOPs, four streams where three would do; L launches a call. A stream that is held takes some thousand: beyond that a sample is
// flagged spin_timeout and has no time, but for `graph: true`, where all of them are one launch (nothing is allocated in the loop).
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: never for speed; it is what users write first.
#include "kernels/scan/recurrence_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_cuda_torch",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch addcmul on the GPU, one call a step",
    .supports = needs_time_middle,
    .prepare = prepare_on_device<RecurrenceLoop>,
    .run = run_on_device<RecurrenceLoop>,
}};

}  // namespace
}  // namespace bench::scan
