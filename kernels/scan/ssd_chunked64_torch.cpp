// SPDX-License-Identifier: Apache-2.0
// ssd_chunked64_torch: Mamba-2's scan as LibTorch tensor operations in chunks of Q = 64 steps; see
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
// Right choice: as a rival where chunks of 32 steps (ssd_chunked32_torch) are too short to be efficient.
#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked64_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch matmuls, the chunked form of the authors' listing, Q = 64",
    .prepare = prepare_on_host<SsdChunks<64>>,
    .run = run_on_host<SsdChunks<64>>,
}};

}  // namespace
}  // namespace bench::scan
