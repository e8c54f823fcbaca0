// SPDX-License-Identifier: Apache-2.0
// ssd_chunked256_cuda_torch: Mamba-2's scan on a GPU as LibTorch tensor operations, all chunks of Q = 256 steps at once.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// See ssd.hpp; the form is in ssd_torch_wide.hpp.
//
// Tensors are on the device from prepare on, where the form is made and run once, so that a refusal is a row with LibTorch's reason. What is timed is
// its operations on the case's stream, intermediates from LibTorch's caching allocator.
// Chunks are one more batch axis, as in the authors' listing (Dao and Gu 2024), so a call is some sixty launches whatever L. With 16-bit inputs the products
// of the output are made of 16-bit operands with fp32 sums, on matrix units; those of the state are fp32, which its tolerance needs.
// Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs, with no part of a chunk left out. Bytes: three passes over B L H Q decays and scores in fp32.
//
// Error against fp64: differences of sums lose |s| eps in a decay, |s| up to Q times the mean of d |A|.
//
// Right choice: as the rival with the chunk length that the authors' kernels default to.
#include "kernels/scan/ssd_torch_wide.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked256_cuda_torch",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch matmuls on the GPU, all chunks at once, Q = 256",
    .prepare = prepare_on_device<SsdWide<256>>,
    .run = run_on_device<SsdWide<256>>,
}};

}  // namespace
}  // namespace bench::scan
