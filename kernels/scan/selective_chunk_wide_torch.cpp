// SPDX-License-Identifier: Apache-2.0
// selective_chunk_wide_torch: the selective scan as LibTorch operations, in chunks of 16 steps side by side.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp; the form is in selective_torch.hpp and wide_scan_torch.hpp.
//
// Algorithm: decays exp(d A) and inputs d u B of the whole sequence, the recurrence by wide_scan_torch.hpp, then all sums over n as one batched product.
// Work: some 10 B L C N FLOPs, B L C (N + 4) exponentials; eight passes over 4 B L C N bytes.
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: none on a host: selective_chunk_torch keeps its states in the caches. It is the form of selective_chunk_cuda_torch, where it can be
// checked without a GPU.
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_wide_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch, chunks of 16 steps side by side, states written out: a form for devices",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_host<SelectiveWide>,
    .run = run_on_host<SelectiveWide>,
}};

}  // namespace
}  // namespace bench::scan
