// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan as LibTorch tensor operations: the chunked form of its authors' listing, written for the
// fewest copies. Only *_torch.cpp files include this.
//
// Per chunk of Q steps, with s the inclusive sums of d A and K = H / G heads a group: decays exp(s_i - s_j)
// masked below the diagonal; C B^T once a group, times the decays, times d x, batched over heads; exp(s) C h
// and h <- exp(s_Q) h + (exp(s_Q - s) d x)^T B as one product a group, of all its heads side by side, so that
// B and C are not repeated. The loop over chunks is in C++ and allocates its intermediates, as a LibTorch
// user's would. Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs; B H Q Q decays and scores a chunk.
#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {

/// The inputs; the state's type throughout gives gradients in that type.
struct SsdTorch {
  at::Tensor x, dt, b, c;        // (B, L, H, P), (B, L, H), (B, L, G, N)
  at::Tensor a, skip, bias, h0;  // (H), (B, H, P, N)
  at::Tensor z;                  // as x if gated, else undefined

  explicit SsdTorch(Tensors& in)
      : x(as_torch(in["x"])),
        dt(as_torch(in["dt"])),
        b(as_torch(in["B"])),
        c(as_torch(in["C"])),
        a(as_torch(in["A"])),
        skip(as_torch(in["D"])),
        bias(as_torch(in["dt_bias"])),
        h0(as_torch(in["h0"])) {
    if (in.has("z")) z = as_torch(in["z"]);
  }
};

/// One chunk of q steps: dx (B, q, G, K, P), da (B, G, K, q), b, c (B, G, q, N); h (B, G, K P, N) is the
/// state before and after. Returns y (B, q, G, K, P).
inline at::Tensor ssd_torch_chunk(const at::Tensor& dx, const at::Tensor& da, const at::Tensor& b,
                                  const at::Tensor& c, at::Tensor& h) {
  const std::int64_t steps = dx.size(1), heads = dx.size(3), head_dim = dx.size(4);
  const auto by_step = [](const at::Tensor& scale) { return scale.transpose(-1, -2).unsqueeze(-1); };
  const at::Tensor sum = da.cumsum(-1);
  const at::Tensor later = at::ones({steps, steps}, da.options().dtype(at::kBool)).triu(1);
  const at::Tensor decay = (sum.unsqueeze(-1) - sum.unsqueeze(-2)).masked_fill_(later, -INFINITY).exp_();
  const at::Tensor scores = c.matmul(b.transpose(-1, -2)).unsqueeze(2) * decay;  // (B, G, K, q, q)
  const at::Tensor inside = scores.matmul(dx.permute({0, 2, 3, 1, 4}));          // (B, G, K, q, P)
  const at::Tensor before = c.matmul(h.transpose(-1, -2)).unflatten(-1, {heads, head_dim});
  const at::Tensor y = before * by_step(sum.exp()) + inside.transpose(2, 3);  // (B, G, q, K, P)
  const at::Tensor last = sum.narrow(-1, steps - 1, 1);                       // (B, G, K, 1)
  const at::Tensor to_end = dx.transpose(1, 2) * by_step((last - sum).exp_());
  const at::Tensor kept = (h.unflatten(2, {heads, head_dim}) * last.exp().unsqueeze(-1)).flatten(2, 3);
  h = kept + to_end.flatten(3, 4).transpose(-1, -2).matmul(b);
  return y.transpose(1, 2);
}

/// All chunks: emit(first step, out of the chunk (B, q, H, P)) in order; returns the last state (B, H, P, N).
/// 16-bit tensors are widened chunk by chunk: without a matrix unit for them LibTorch's products of 16-bit
/// numbers are no faster, and the state's products need fp32 for the state's tolerance.
template <class Emit>
at::Tensor ssd_torch_scan(const SsdProblem& p, const SsdTorch& in, std::int64_t chunk, const Emit& emit) {
  const at::ScalarType type = in.a.scalar_type();
  const std::int64_t heads = p.group_heads();
  at::Tensor d = at::softplus(in.dt.to(type) + in.bias);  // (B, L, H)
  if (p.limits.limited()) d = d.clamp(p.limits.low, p.limits.high);
  at::Tensor h = in.h0.reshape({p.batch, p.groups, heads * p.head_dim, p.state});
  for (Range span{}; span.end < p.seq;) {
    span = p.segments().piece_at(span.end, p.seq, chunk);
    const std::int64_t t = span.begin, steps = span.size();
    if (p.segments().start_at(t)) h = at::zeros_like(h);
    const at::Tensor xs = in.x.narrow(1, t, steps).to(type), ds = d.narrow(1, t, steps);
    const auto mixers = [&](const at::Tensor& m) { return m.narrow(1, t, steps).to(type).transpose(1, 2); };
    const at::Tensor dx = (xs * ds.unsqueeze(-1)).unflatten(2, {p.groups, heads});
    const at::Tensor da = (ds * in.a).transpose(1, 2).unflatten(1, {p.groups, heads});
    const at::Tensor y = ssd_torch_chunk(dx, da, mixers(in.b), mixers(in.c), h).flatten(2, 3);
    const at::Tensor out = y + xs * in.skip.unsqueeze(-1);
    emit(t, in.z.defined() ? out * at::silu(in.z.narrow(1, t, steps).to(type)) : out);
  }
  return h.reshape({p.batch, p.heads, p.head_dim, p.state});
}

/// Kernel::run of the forward kernels, which differ in the length of a chunk.
template <std::int64_t kChunk>
void run_ssd_torch(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const at::Tensor out = as_torch(tensors["out"]);
  const at::Tensor h = ssd_torch_scan(
      p, SsdTorch(tensors), kChunk,
      [&](std::int64_t t, const at::Tensor& rows) { out.narrow(1, t, rows.size(1)).copy_(rows); });
  as_torch(tensors["h_last"]).copy_(h);
}

}  // namespace bench::scan
