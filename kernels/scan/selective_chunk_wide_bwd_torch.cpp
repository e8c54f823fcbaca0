// SPDX-License-Identifier: Apache-2.0
// selective_chunk_wide_bwd_torch: LibTorch's autograd through the selective scan in chunks of 16 steps side by side.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp; the form is in selective_torch_bwd.hpp. fp32 and fp64.
//
// Algorithm: the forward pass of selective_chunk_wide_torch is recorded in prepare, its recurrence as one function whose backward is the same recurrence
// in reverse (recorded_scan_torch.hpp). Work: some 25 B L C N FLOPs and no exponentials; some twenty passes over 4 B L C N bytes.
//
// Error against fp64: as the sequential kernel's.
//
// Right choice: none on a host. It is the form of selective_chunk_bwd_cuda_torch, where it can be checked without a GPU.
#include "kernels/scan/selective_torch_bwd.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_wide_bwd_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd through chunks side by side: a form for devices; its forward is not timed",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_host<SelectiveWideBackward>,
    .run = run_on_host<SelectiveWideBackward>,
}};

}  // namespace
}  // namespace bench::scan
