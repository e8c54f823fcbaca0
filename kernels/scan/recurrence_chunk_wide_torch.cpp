// SPDX-License-Identifier: Apache-2.0
// recurrence_chunk_wide_torch: h_t = a_t * h_{t-1} + b_t in chunks of 16 steps side by side, by LibTorch's in-place addcmul.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp; the form is in recurrence_torch.hpp and wide_scan_torch.hpp.
//
// Algorithm: step i of all chunks at once, then the carries as the same recurrence 16 times shorter, then one pass that brings them to every step.
//
// Work and bytes: some 4 B L C FLOPs; a and b are copied to the state's type with time first, then five passes over them.
//
// Error against fp64: as the sequential kernel's; carries are products of decays, in tree order.
//
// Right choice: none on a host, whose caches a pass over everything drives out. It is the form of recurrence_chunk_cuda_torch, where it can be checked
// without a GPU.
#include "kernels/scan/recurrence_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chunk_wide_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch, chunks of 16 steps side by side: a form for devices",
    .supports = needs_real_numbers,
    .prepare = prepare_on_host<RecurrenceWide>,
    .run = run_on_host<RecurrenceWide>,
}};

}  // namespace
}  // namespace bench::scan
