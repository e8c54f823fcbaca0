// SPDX-License-Identifier: Apache-2.0
// recurrence_chunk_cuda_torch: h_t = a_t * h_{t-1} + b_t on a GPU in chunks of 16 steps side by side, by LibTorch's in-place addcmul.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp; the form is in recurrence_torch.hpp and wide_scan_torch.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Work and bytes: some 4 B L C FLOPs; a and b are copied to the state's type with time first, then five passes. 32 launches for each factor of 16 in L.
//
// Error against fp64: as the sequential kernel's; carries are products of decays, in tree order.
//
// Right choice: as the strongest form in LibTorch at any length. On the host it is recurrence_chunk_wide_torch.
#include "kernels/scan/recurrence_torch.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chunk_cuda_torch",
    .op = "recurrence",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch on the GPU, chunks of 16 steps side by side, carries the same way",
    .supports = needs_real_numbers,
    .prepare = prepare_on_device<RecurrenceWide>,
    .run = run_on_device<RecurrenceWide>,
}};

}  // namespace
}  // namespace bench::scan
