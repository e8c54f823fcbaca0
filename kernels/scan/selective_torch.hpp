// SPDX-License-Identifier: Apache-2.0
// The selective scan as LibTorch operations, on the host and on a device. All forms see the problem with time first and channels last, (L, B,
// G, .) with Cg = C / G channels a group, so that a step is one contiguous block and every operation runs
// along channels. Only *_torch.cpp files include this.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/real.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/view_as_complex.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/scan/selective.hpp"
#include "kernels/scan/wide_scan_torch.hpp"
#include "kernels/torch_form.hpp"

namespace bench::scan {

/// (B, L, C) as (L, B, G, Cg); a view.
inline at::Tensor steps_first(const at::Tensor& steps, std::int64_t groups) {
  return steps.unflatten(2, {groups, -1}).transpose(0, 1);
}

/// (C, N) or (B, C, N) as (..., G, N, Cg); a view.
inline at::Tensor states_first(const at::Tensor& states, std::int64_t groups) {
  return states.unflatten(-2, {groups, -1}).transpose(-1, -2);
}

/// The tensors in that order, as views; complex ones as LibTorch's own complex numbers.
struct SelectiveTorch {
  at::Tensor u, delta, z, out;  // (L, B, G, Cg)
  at::Tensor b, c;              // (L, B, G, N), constant (G, N, Cg)
  at::Tensor a;                 // (G, N, Cg), contiguous
  at::Tensor skip, bias;        // (G, Cg)
  at::Tensor h0, h_last;        // (B, G, N, Cg)

  SelectiveTorch(const SelectiveProblem& p, const TorchTensors& in) {
    const auto steps = [&](const char* name) { return steps_first(in[name], p.groups); };
    const auto numbers = [&](const char* name) { return p.complex ? at::view_as_complex(in[name]) : in[name]; };
    const auto mixer = [&](const char* name, bool constant) { return constant ? states_first(numbers(name), p.groups) : numbers(name).transpose(0, 1); };
    u = steps("u"), delta = steps("delta"), z = steps("z");
    b = mixer("B", p.constant_b), c = mixer("C", p.constant_c);
    a = states_first(numbers("A"), p.groups).contiguous();
    skip = in["D"].unflatten(0, {p.groups, -1});
    bias = in["delta_bias"].unflatten(0, {p.groups, -1});
    h0 = states_first(numbers("h0"), p.groups);
    if (p.backward()) return;
    out = steps("out");
    h_last = states_first(numbers("h_last"), p.groups);
  }
  at::Tensor steps() const { return at::softplus((delta + bias).contiguous()); }  // d
  /// Skip and gate around y, the sums over n; y is overwritten.
  void finish(at::Tensor& y) const {
    y.addcmul_(u, skip);
    at::Tensor to = out;
    at::mul_out(to, y, at::silu(z.to(y.scalar_type())));
  }
};

/// In the state's type: chunks of 16 steps one after the other, an in-place addcmul a step, one product a chunk. All forms of the op.
class SelectiveChunks {
 public:
  static constexpr const char* kOp = "selective";
  static constexpr bool kRecords = false;
  static constexpr std::int64_t kChunk = 16;

  SelectiveChunks(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<SelectiveProblem>(problem)), in_(problem_, tensors) {
    const auto& p = problem_;
    decay_ = at::empty({std::min(kChunk, p.seq), p.batch, p.groups, p.state, p.group_channels()}, in_.a.options());
    states_ = at::empty_like(decay_);
    decay_of_step_ = decay_.unbind(0);
    state_of_step_ = states_.unbind(0);
    h_ = at::empty({p.batch, p.groups, p.state, p.group_channels()}, in_.a.options());
  }

  void run() {
    const at::Tensor d = in_.steps(), du = d * in_.u;
    at::Tensor y = at::empty_like(d, d.options(), at::MemoryFormat::Contiguous);
    h_.copy_(in_.h0);
    const Segments segments = problem_.segments();
    for (Range chunk{}; chunk.end < problem_.seq;) {
      chunk = segments.piece_at(chunk.end, problem_.seq, kChunk);
      if (segments.start_at(chunk.begin)) h_.zero_();
      scan_chunk(chunk.begin, chunk.size(), d, du, y);
    }
    in_.finish(y);
    in_.h_last.copy_(h_);
  }

 private:
  /// Steps [t, t + steps); d, du and y are (L, B, G, Cg).
  void scan_chunk(std::int64_t t, std::int64_t steps, const at::Tensor& d, const at::Tensor& du, at::Tensor& y) {
    at::Tensor decay = decay_.narrow(0, 0, steps), states = states_.narrow(0, 0, steps);
    at::mul_out(decay, d.narrow(0, t, steps).unsqueeze(-2), in_.a);
    decay.exp_();
    at::mul_out(states, du.narrow(0, t, steps).unsqueeze(-2), problem_.constant_b ? in_.b : in_.b.narrow(0, t, steps).unsqueeze(-1));
    const at::Tensor* before = &h_;
    for (std::size_t i = 0; i < static_cast<std::size_t>(steps); ++i) {
      state_of_step_[i].addcmul_(decay_of_step_[i], *before);
      before = &state_of_step_[i];
    }
    h_.copy_(*before);
    at::Tensor sums = y.narrow(0, t, steps).unsqueeze(-2);  // (T, B, G, 1, Cg)
    if (!problem_.constant_c && !problem_.complex) {
      at::matmul_out(sums, in_.c.narrow(0, t, steps).unsqueeze(-2), states);
      return;
    }
    const at::Tensor mixed = problem_.constant_c ? (in_.c * states).sum(-2, /*keepdim=*/true) : in_.c.narrow(0, t, steps).unsqueeze(-2).matmul(states);
    sums.copy_(problem_.complex ? 2 * at::real(mixed) : mixed);
  }

  SelectiveProblem problem_;
  SelectiveTorch in_;
  at::Tensor decay_, states_;                               // (T, B, G, N, Cg)
  std::vector<at::Tensor> decay_of_step_, state_of_step_;  // their slices
  at::Tensor h_;                                            // (B, G, N, Cg): between chunks
};

/// All chunks side by side (wide_scan_torch.hpp), in the state's type: decays and states of the whole sequence are written out.
class SelectiveWide {
 public:
  static constexpr const char* kOp = "selective";
  static constexpr bool kRecords = false;

  SelectiveWide(const Problem& problem, const TorchTensors& tensors) : in_(problem_as<SelectiveProblem>(problem), tensors) {
    const auto& starts = problem_as<SelectiveProblem>(problem).starts;
    if (!starts.empty()) starts_ = at::tensor(starts).to(in_.a.device());
  }

  void run() {
    const at::Tensor d = in_.steps(), du = d * in_.u;
    const at::Tensor decay = (d.unsqueeze(-2) * in_.a).exp_();  // (L, B, G, N, Cg)
    if (starts_.defined()) decay.index_fill_(0, starts_, 0);
    const at::Tensor states = wide_scan(decay, du.unsqueeze(-2) * in_.b.unsqueeze(-1), in_.h0);
    at::Tensor y = in_.c.to(d.scalar_type()).unsqueeze(-2).matmul(states).squeeze(-2);
    in_.finish(y);
    in_.h_last.copy_(states[-1]);
  }

 private:
  SelectiveTorch in_;
  at::Tensor starts_;
};

}  // namespace bench::scan
