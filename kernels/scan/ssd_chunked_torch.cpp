// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_torch: Mamba-2's scan as LibTorch tensor operations, the chunked form of its authors' listing.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// See ssd.hpp. fp32 and fp64.
//
// Algorithm: per chunk of Q = 128 steps, with s the inclusive sums of d A: decays exp(s_i - s_j) masked below
// the diagonal; C B^T once a group, times the decays, times d x; exp(s) C h; and h <- exp(s_Q) h + (exp(s_Q -
// s) d x)^T B. The products are batched matmuls over (B, H); the loop over chunks is in C++ and allocates its
// intermediates, as a LibTorch user's would.
//
// Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs. Writes out B H Q Q decays and scores a chunk.
//
// Error against fp64: differences of sums lose |s| eps in a decay, |s| up to Q times the mean of d |A|. Steps
// with d |A| in the hundreds are beyond the op's tolerance.
//
// Right choice: as the strongest form that a LibTorch user can write. Q = 128 was the best of a sweep at H
// 16, P 64, N 128 on one core.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChunk = 128;

/// Heads to the front, for products over (B, H): (B, q, K, W) -> (B, K, q, W).
at::Tensor by_head(const at::Tensor& steps) {
  return steps.transpose(1, 2);
}

/// (B, G, ...) -> (B, H, ...), each group's matrix once for each of its heads.
at::Tensor for_heads(const at::Tensor& groups, std::int64_t group_heads) {
  return group_heads == 1 ? groups : groups.repeat_interleave(group_heads, 1);
}

/// One chunk: its tensors with q steps; h (B, H, P, N) is the state before and after. Returns y (B, H, q, P).
at::Tensor scan_chunk(const SsdProblem& p, const at::Tensor& dx, const at::Tensor& da, const at::Tensor& b,
                      const at::Tensor& c, at::Tensor& h) {
  const std::int64_t steps = dx.size(2);
  const at::Tensor sum = da.cumsum(-1);  // (B, H, q)
  const at::Tensor later = at::ones({steps, steps}, da.options().dtype(at::kBool)).triu(1);
  const at::Tensor decay = (sum.unsqueeze(-1) - sum.unsqueeze(-2)).masked_fill_(later, -INFINITY).exp_();
  const at::Tensor scores = for_heads(c.matmul(b.transpose(-1, -2)), p.group_heads()) * decay;
  const at::Tensor own_b = for_heads(b, p.group_heads()), own_c = for_heads(c, p.group_heads());
  at::Tensor y = scores.matmul(dx);
  y += own_c.matmul(h.transpose(-1, -2)) * sum.exp().unsqueeze(-1);
  const at::Tensor last = sum.narrow(-1, steps - 1, 1);  // (B, H, 1)
  const at::Tensor to_end = dx * (last - sum).exp_().unsqueeze(-1);
  h = h * last.exp().unsqueeze(-1) + to_end.transpose(-1, -2).matmul(own_b);
  return y;
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const at::Tensor x = as_torch(tensors["x"]), b = as_torch(tensors["B"]), c = as_torch(tensors["C"]);
  const at::Tensor a = as_torch(tensors["A"]), skip = as_torch(tensors["D"]);
  const at::Tensor d = at::softplus(as_torch(tensors["dt"]) + as_torch(tensors["dt_bias"]));  // (B, L, H)
  at::Tensor out = as_torch(tensors["out"]), h = as_torch(tensors["h0"]);
  for (std::int64_t t = 0; t < p.seq; t += kChunk) {
    const std::int64_t steps = std::min(kChunk, p.seq - t);
    const at::Tensor xs = x.narrow(1, t, steps), ds = d.narrow(1, t, steps);
    const at::Tensor dx = by_head(xs * ds.unsqueeze(-1)).contiguous();
    const at::Tensor y = scan_chunk(p, dx, (ds * a).transpose(1, 2), by_head(b.narrow(1, t, steps)),
                                    by_head(c.narrow(1, t, steps)), h);
    at::Tensor rows = out.narrow(1, t, steps);
    at::add_out(rows, y.transpose(1, 2), xs * skip.unsqueeze(-1));
  }
  as_torch(tensors["h_last"]).copy_(h);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_torch",
    .op = "ssd",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch matmuls, the chunked form of the authors' listing, Q = 128",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
