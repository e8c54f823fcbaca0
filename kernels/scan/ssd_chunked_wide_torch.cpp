// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_wide_torch: Mamba-2's scan as LibTorch tensor operations, all chunks of Q = 64 steps at once.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// See ssd.hpp; the form is in ssd_torch_wide.hpp.
//
// Algorithm: chunks are one more batch axis, as in the authors' listing (Dao and Gu 2024); their states pass on by wide_scan_torch.hpp. With 16-bit inputs
// the products of the output are made of 16-bit operands.
// Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs; writes out B L H Q decays and scores.
//
// Error against fp64: differences of sums lose |s| eps in a decay, |s| up to Q times the mean of d |A|.
//
// Right choice: none on a host. It is the form of ssd_chunked_cuda_torch, where it can be checked without a GPU.
#include "kernels/scan/ssd_torch_wide.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_wide_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch matmuls, all chunks at once, Q = 64: a form for devices",
    .prepare = prepare_on_host<SsdWide<64>>,
    .run = run_on_host<SsdWide<64>>,
}};

}  // namespace
}  // namespace bench::scan
