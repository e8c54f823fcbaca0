// SPDX-License-Identifier: Apache-2.0
// selective_cumsum_torch: the selective scan without a loop over steps, by cumulative sums within chunks.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp. fp32 and fp64.
//
// Algorithm: with S_t the sum of d A within a chunk of T = 16 steps, h_t = exp(S_t) (h + sum_s exp(-S_s) d_s
// u_s B_s): two exponentials, a cumulative sum over time and a batched product with C per chunk. exp(-S)
// overflows once the span of S passes 88, and the two factors lose |S| eps long before: chunks whose span
// passes 20 are halved, down to single steps, where the form is the plain recurrence.
//
// Work: 8 B L C N FLOPs and 2 B L C N exponentials; seven passes over the chunk's (T, B, C, N).
//
// Error against fp64: 20 eps in a decay, so some 4e-6.
//
// Right choice: as a form that LibTorch users write to avoid the loop. selective_chunk_torch is faster, and
// safe for any d A.
#include <c10/core/InferenceMode.h>


#include "kernels/kernel.hpp"
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChunk = 16;
constexpr double kMostSpan = 20.0;

struct Chunked {
  SelectiveTorch in;
  at::Tensor d, du, y;  // (L, B, G, Cg)
  at::Tensor steepest;  // (G, Cg): the largest |A| of each channel
  at::Tensor h;         // (B, G, N, Cg)

  /// True when no sum of d A over the steps passes the allowed span.
  bool fits(std::int64_t t, std::int64_t steps) const {
    if (steps == 1) return true;
    return (d.narrow(0, t, steps).sum(0) * steepest).max().item<double>() <= kMostSpan;
  }

  void scan(std::int64_t t, std::int64_t steps) {
    if (!fits(t, steps)) {
      scan(t, steps / 2);
      return scan(t + steps / 2, steps - steps / 2);
    }
    const at::Tensor sums = d.narrow(0, t, steps).unsqueeze(-2).cumsum(0) * in.a;  // (T, B, G, N, Cg)
    at::Tensor states = du.narrow(0, t, steps).unsqueeze(-2) * in.b.narrow(0, t, steps).unsqueeze(-1);
    if (steps > 1) states.mul_(sums.neg().exp_()).cumsum_(0);
    if (steps > 1) states.add_(h).mul_(sums.exp());
    if (steps == 1) states.addcmul_(sums.exp(), h);
    h = states.select(0, steps - 1).clone();
    at::Tensor to = y.narrow(0, t, steps).unsqueeze(-2);
    at::matmul_out(to, in.c.narrow(0, t, steps).unsqueeze(-2), states);
  }
};

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  Chunked work{SelectiveTorch(p, tensors), {}, {}, {}, {}, {}};
  work.d = at::softplus((work.in.delta + work.in.bias).contiguous());
  work.du = work.d * work.in.u;
  work.y = at::empty_like(work.d, work.d.options(), at::MemoryFormat::Contiguous);
  work.steepest = work.in.a.abs().amax(1);
  work.h = work.in.h0;
  for (Range chunk{}; chunk.end < p.seq;) {
    chunk = p.segments().piece_at(chunk.end, p.seq, kChunk);
    if (p.segments().start_at(chunk.begin)) work.h = at::zeros_like(work.h);
    work.scan(chunk.begin, chunk.size());
  }
  work.y.addcmul_(work.in.u, work.in.skip);
  at::mul_out(work.in.out, work.y, at::silu(work.in.z));
  states_first(as_torch(tensors["h_last"]), p.groups).copy_(work.h);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_cumsum_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch cumulative sums within chunks of 16 steps, no loop over steps",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
