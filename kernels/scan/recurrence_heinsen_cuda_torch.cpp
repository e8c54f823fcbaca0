// SPDX-License-Identifier: Apache-2.0
// recurrence_heinsen_cuda_torch: h_t = a_t * h_{t-1} + b_t on a GPU without a loop, by sums of logarithms in fp64.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp; the form is recurrence_heinsen_torch's, in recurrence_torch.hpp
// (Heinsen 2023). fp32 only.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Work and bytes: seven logarithms and exponentials a step in fp64, some twenty passes over 8-byte elements, whatever L: some thirty launches.
//
// Error against fp64: below the rounding to fp32, as the sums are of fp64; in fp32 they lose |sum of log a| eps.
//
// Right choice: as the published form without a loop. recurrence_chunk_cuda_torch moves fewer bytes.
#include "kernels/scan/recurrence_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_heinsen_cuda_torch",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f32},
    .about = "LibTorch logcumsumexp on the GPU in fp64, no loop (Heinsen)",
    .supports = needs_one_real_sequence,
    .prepare = prepare_on_device<RecurrenceHeinsen>,
    .run = run_on_device<RecurrenceHeinsen>,
}};

}  // namespace
}  // namespace bench::scan
