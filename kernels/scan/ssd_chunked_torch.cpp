// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_torch: Mamba-2's scan as LibTorch tensor operations in chunks of Q = 128 steps; see
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
// Right choice: as a rival on CPUs whose products gain more from long chunks than exp and masks lose.
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChunk = 128;

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const at::Tensor out = as_torch(tensors["out"]);
  const at::Tensor h = ssd_torch_scan(
      p, SsdTorch(tensors), kChunk,
      [&](std::int64_t t, const at::Tensor& rows) { out.narrow(1, t, rows.size(1)).copy_(rows); });
  as_torch(tensors["h_last"]).copy_(h);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch matmuls, the chunked form of the authors' listing, Q = 128",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
