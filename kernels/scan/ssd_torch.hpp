// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan as LibTorch tensor operations: the chunked form of its authors' listing, written for the
// fewest copies. Only *_torch.cpp files include this.
//
// Per chunk of Q steps, with s the inclusive sums of d A and K = H / G heads a group: decays exp(s_i - s_j)
// masked below the diagonal; C B^T once a group, times the decays, times d x, batched over heads; exp(s) C h
// and h <- exp(s_Q) h + (exp(s_Q - s) d x)^T B as one product a group, of all its heads side by side, so that
// B and C are not repeated. Work: B L H (2 Q P + 4 N P) + 2 B L G Q N FLOPs; B H Q Q decays and scores a chunk.
//
// Here chunks come in turn, for the caches of a host: the loop is in C++ and allocates its intermediates, as a LibTorch
// user's would; a chunk ends where a packed sequence does. All at once, for a device: ssd_torch_wide.hpp.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/scan/ssd.hpp"
#include "kernels/torch_form.hpp"

namespace bench::scan {

/// The sequence that each step belongs to (L), on that device; undefined where there is one. To be made in advance: it comes from the host.
inline at::Tensor sequence_numbers(const SsdProblem& p, c10::Device where) {
  if (p.starts.empty()) return {};
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(p.seq), 0);
  for (const std::int64_t start : p.starts) ++numbers[static_cast<std::size_t>(start)];
  std::partial_sum(numbers.begin(), numbers.end(), numbers.begin());
  return at::tensor(numbers).to(where);
}

/// The inputs; the state's type throughout gives gradients in that type.
struct SsdTorch {
  at::Tensor x, dt, b, c;        // (B, L, H, P), (B, L, H), (B, L, G, N)
  at::Tensor a, skip, bias, h0;  // (H), (B, H, P, N)
  at::Tensor z;                  // as x if gated, else undefined
  at::Tensor numbers;            // (L) of sequences, for ssd_torch_wide.hpp; undefined where there is one

  SsdTorch(const SsdProblem& p, const TorchTensors& in)
      : x(in["x"]), dt(in["dt"]), b(in["B"]), c(in["C"]), a(in["A"]), skip(in["D"]), bias(in["dt_bias"]), h0(in["h0"]), numbers(sequence_numbers(p, x.device())) {
    if (in.has("z")) z = in["z"];
  }
  at::ScalarType type() const { return a.scalar_type(); }
  /// d (B, L, H).
  at::Tensor steps(const SsdProblem& p) const {
    const at::Tensor d = at::softplus(dt.to(type()) + bias);
    return p.limits.limited() ? d.clamp(p.limits.low, p.limits.high) : d;
  }
  /// Skip and gate around y (B, q, H, P), the result for x and z of the same steps.
  at::Tensor finish(const at::Tensor& y, const at::Tensor& xs, const at::Tensor& zs) const {
    const at::Tensor out = y + xs * skip.unsqueeze(-1);
    return zs.defined() ? out * at::silu(zs.to(type())) : out;
  }
};

/// a b in the type of a, over equal batch axes, with operands rounded to `narrow` where that has 16 bits: a product of matrix units with fp32 sums and an fp32
/// result. A host gets the same numbers by widening them again: it has no operator for that.
inline at::Tensor ssd_product(const at::Tensor& a, const at::Tensor& b, at::ScalarType narrow) {
  if (narrow == a.scalar_type()) return a.matmul(b);
  const at::Tensor left = a.to(narrow), right = b.to(narrow);
  if (a.device().is_cpu()) return left.to(a.scalar_type()).matmul(right.to(a.scalar_type()));
  const at::Tensor product = at::bmm(left.flatten(0, -3), right.flatten(0, -3), a.scalar_type());
  std::vector<std::int64_t> shape = a.sizes().vec();
  shape.back() = b.size(-1);
  return product.reshape(shape);
}

/// One chunk, or B of them side by side, of q steps: dx (B, q, G, K, P), sum of d A (B, G, K, q), b, c (B, G, q, N), states h (B, G, K P, N). What the
/// output is made of are products of operands in the type `narrow`.
struct SsdTorchChunk {
  at::Tensor dx, sum, b, c;
  at::ScalarType narrow;
  /// The numbers of sequences of the chunk's steps (B, 1, 1, q) and of the step before it (B, 1, 1, 1); undefined where there is one or the chunk ends with it.
  at::Tensor numbers, number_before;

  /// exp(sum of log decays), and nothing where the two steps are of different sequences.
  at::Tensor decay(const at::Tensor& sums, const at::Tensor& one, const at::Tensor& other) const {
    return one.defined() ? sums.masked_fill(one != other, -INFINITY).exp() : sums.exp();
  }
  at::Tensor last_number() const { return numbers.defined() ? numbers.narrow(-1, numbers.size(-1) - 1, 1) : numbers; }
  /// What is left of the state before the chunk behind it, (B, G, K, 1).
  at::Tensor carry() const { return decay(last(), last_number(), number_before); }

  /// scale (B, G, K, q) as (B, q, G, K, 1) without its first transposition: (B, G, q, K, 1).
  static at::Tensor by_step(const at::Tensor& scale) { return scale.transpose(-1, -2).unsqueeze(-1); }
  at::Tensor last() const { return sum.narrow(-1, sum.size(-1) - 1, 1); }  // (B, G, K, 1)

  /// Of the chunk's own inputs: (B, G, q, K, P).
  at::Tensor inside() const {
    const std::int64_t steps = sum.size(-1);
    const at::Tensor later = at::ones({steps, steps}, sum.options().dtype(at::kBool)).triu(1);
    const at::Tensor apart = numbers.defined() ? later | (numbers.unsqueeze(-1) != numbers.unsqueeze(-2)) : later;
    const at::Tensor decays = (sum.unsqueeze(-1) - sum.unsqueeze(-2)).masked_fill_(apart, -INFINITY).exp_();
    const at::Tensor scores = ssd_product(c, b.transpose(-1, -2), narrow).unsqueeze(2) * decays;  // (B, G, K, q, q)
    return ssd_product(scores, dx.permute({0, 2, 3, 1, 4}), narrow).transpose(2, 3);
  }
  /// Of the state before the chunk: (B, G, q, K, P).
  at::Tensor before(const at::Tensor& h) const {
    const at::Tensor product = ssd_product(c, h.transpose(-1, -2), narrow);
    return product.unflatten(-1, {dx.size(3), dx.size(4)}) * by_step(decay(sum, numbers, number_before));
  }
  /// What the chunk adds to the state, (B, G, K P, N), in the state's type: it has to last.
  at::Tensor input() const {
    const at::Tensor to_end = dx.transpose(1, 2) * by_step(decay(last() - sum, numbers, last_number()));
    return to_end.flatten(3, 4).transpose(-1, -2).matmul(b);
  }
};

/// Chunks in turn: emit(first step, out of the chunk (B, q, H, P)) in order; returns the last state (B, H, P, N).
/// 16-bit tensors are widened chunk by chunk: without a matrix unit for them LibTorch's products of 16-bit
/// numbers are no faster, and the state's products need fp32 for the state's tolerance.
template <class Emit>
at::Tensor ssd_torch_in_turn(const SsdProblem& p, const SsdTorch& in, std::int64_t chunk, const Emit& emit) {
  const at::ScalarType type = in.type();
  const std::int64_t heads = p.group_heads();
  const at::Tensor d = in.steps(p);
  at::Tensor h = in.h0.reshape({p.batch, p.groups, heads * p.head_dim, p.state});
  for (Range span{}; span.end < p.seq;) {
    span = p.segments().piece_at(span.end, p.seq, chunk);
    const std::int64_t t = span.begin, steps = span.size();
    if (p.segments().start_at(t)) h = at::zeros_like(h);
    const at::Tensor xs = in.x.narrow(1, t, steps).to(type), ds = d.narrow(1, t, steps);
    const auto mixers = [&](const at::Tensor& m) { return m.narrow(1, t, steps).to(type).transpose(1, 2); };
    const at::Tensor da = (ds * in.a).transpose(1, 2).unflatten(1, {p.groups, heads});
    const SsdTorchChunk here{(xs * ds.unsqueeze(-1)).unflatten(2, {p.groups, heads}), da.cumsum(-1), mixers(in.b), mixers(in.c), type, {}, {}};
    const at::Tensor y = (here.before(h) + here.inside()).transpose(1, 2).flatten(2, 3);
    const at::Tensor kept = (h.unflatten(2, {heads, p.head_dim}) * here.carry().unsqueeze(-1)).flatten(2, 3);
    h = kept + here.input();
    emit(t, in.finish(y, xs, in.z.defined() ? in.z.narrow(1, t, steps) : in.z));
  }
  return h.reshape({p.batch, p.heads, p.head_dim, p.state});
}

struct SsdResult {
  at::Tensor out, h_last;  // (B, L, H, P), (B, H, P, N)
};

inline SsdResult ssd_torch_in_turn(const SsdProblem& p, const SsdTorch& in, std::int64_t chunk) {
  std::vector<at::Tensor> rows;
  const at::Tensor h_last = ssd_torch_in_turn(p, in, chunk, [&](std::int64_t, const at::Tensor& more) { rows.push_back(more); });
  return {at::cat(rows, 1), h_last};
}

/// The forward pass with chunks in turn.
template <std::int64_t kChunk>
class SsdChunks {
 public:
  static constexpr const char* kOp = "ssd";
  static constexpr bool kRecords = false;

  SsdChunks(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<SsdProblem>(problem)), in_(problem_, tensors), out_(tensors["out"]), h_last_(tensors["h_last"]) {}
  void run() {
    h_last_.copy_(ssd_torch_in_turn(problem_, in_, kChunk, [&](std::int64_t t, const at::Tensor& rows) { out_.narrow(1, t, rows.size(1)).copy_(rows); }));
  }

 private:
  SsdProblem problem_;
  SsdTorch in_;
  at::Tensor out_, h_last_;
};

}  // namespace bench::scan
