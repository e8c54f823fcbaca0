// SPDX-License-Identifier: Apache-2.0
// ssd_chunked32_torch: Mamba-2's scan as LibTorch tensor operations in chunks of Q = 32 steps; see
// ssd_torch.hpp.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// See ssd.hpp.
//
// Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs. Writes out B H Q Q decays and scores a chunk.
//
// Error against fp64: differences of sums lose |s| eps in a decay, |s| up to Q times the mean of d |A|. Steps
// with d |A| in the hundreds are beyond the op's tolerance.
//
// Right choice: as the strongest form that a LibTorch user can write, at the chunk length that was best of 16
// to 256 at H 16, P 64, N 128 on one core of a server CPU; see ssd_chunked64_torch and ssd_chunked_torch.
#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked32_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch matmuls, the chunked form of the authors' listing, Q = 32",
    .prepare = prepare_on_host<SsdChunks<32>>,
    .run = run_on_host<SsdChunks<32>>,
}};

}  // namespace
}  // namespace bench::scan
