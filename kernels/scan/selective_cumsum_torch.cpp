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
#include <ATen/ops/abs.h>
#include <ATen/ops/zeros_like.h>

#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChunk = 16;
constexpr double kMostSpan = 20.0;

class SelectiveCumsum {
 public:
  static constexpr const char* kOp = "selective";
  static constexpr bool kRecords = false;

  SelectiveCumsum(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<SelectiveProblem>(problem)), in_(problem_, tensors) {}

  void run() {
    d_ = in_.steps();
    du_ = d_ * in_.u;
    y_ = at::empty_like(d_, d_.options(), at::MemoryFormat::Contiguous);
    steepest_ = in_.a.abs().amax(1);
    h_ = in_.h0;
    const Segments segments = problem_.segments();
    for (Range chunk{}; chunk.end < problem_.seq;) {
      chunk = segments.piece_at(chunk.end, problem_.seq, kChunk);
      if (segments.start_at(chunk.begin)) h_ = at::zeros_like(h_);
      scan(chunk.begin, chunk.size());
    }
    in_.finish(y_);
    in_.h_last.copy_(h_);
  }

 private:
  /// True when no sum of d A over the steps passes the allowed span.
  bool fits(std::int64_t t, std::int64_t steps) const {
    if (steps == 1) return true;
    return (d_.narrow(0, t, steps).sum(0) * steepest_).max().item<double>() <= kMostSpan;
  }

  void scan(std::int64_t t, std::int64_t steps) {
    if (!fits(t, steps)) {
      scan(t, steps / 2);
      return scan(t + steps / 2, steps - steps / 2);
    }
    const at::Tensor sums = d_.narrow(0, t, steps).unsqueeze(-2).cumsum(0) * in_.a;  // (T, B, G, N, Cg)
    at::Tensor states = du_.narrow(0, t, steps).unsqueeze(-2) * in_.b.narrow(0, t, steps).unsqueeze(-1);
    if (steps > 1) states.mul_(sums.neg().exp_()).cumsum_(0);
    if (steps > 1) states.add_(h_).mul_(sums.exp());
    if (steps == 1) states.addcmul_(sums.exp(), h_);
    h_ = states.select(0, steps - 1).clone();
    at::Tensor to = y_.narrow(0, t, steps).unsqueeze(-2);
    at::matmul_out(to, in_.c.narrow(0, t, steps).unsqueeze(-2), states);
  }

  SelectiveProblem problem_;
  SelectiveTorch in_;
  at::Tensor d_, du_, y_;  // (L, B, G, Cg)
  at::Tensor steepest_;    // (G, Cg): the largest |A| of each channel
  at::Tensor h_;           // (B, G, N, Cg)
};

const Registrar<Kernel> registrar{{
    .name = "scan/selective_cumsum_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch cumulative sums within chunks of 16 steps, no loop over steps",
    .supports = needs_plain_mixers,
    .prepare = prepare_on_host<SelectiveCumsum>,
    .run = run_on_host<SelectiveCumsum>,
}};

}  // namespace
}  // namespace bench::scan
