// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan as LibTorch tensor operations with all chunks at once, for a device: chunks are one more batch axis of ssd_torch.hpp's form, and their states
// pass on by wide_scan_torch.hpp. Only *_torch.cpp files include this.
//
// Packed sequences (segments.hpp) are a mask: every step has its sequence's number, as mamba_ssm's seq_idx, and where two numbers differ the log decay between
// them is minus infinity, selected before the exponential, so that its gradient is zero, too.
#pragma once

#include <ATen/ops/constant_pad_nd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/scan/recorded_scan_torch.hpp"
#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {

/// All chunks at once. Outputs' products are of the inputs' type, with fp32 sums, where that has 16 bits: matrix units are for it.
inline SsdResult ssd_torch_wide(const SsdProblem& p, const SsdTorch& in, std::int64_t most) {
  const at::ScalarType type = in.type();
  const std::int64_t q = std::min(most, p.seq), chunks = ceil_div(p.seq, q), heads = p.group_heads(), missing = chunks * q - p.seq;
  /// (B, L, ...) as (B Z, q, ...); steps that are not there have d = 0, which changes no state.
  const auto cut = [&](const at::Tensor& whole) {
    std::vector<std::int64_t> pad(2 * static_cast<std::size_t>(whole.dim() - 1), 0);
    pad.back() = missing;
    return (missing > 0 ? at::constant_pad_nd(whole, pad) : whole).unflatten(1, {chunks, q}).flatten(0, 1);
  };
  const at::Tensor d = in.steps(p), x = in.x.to(type);
  const at::Tensor da = cut(d * in.a).transpose(1, 2).unflatten(1, {p.groups, heads});
  const auto mixers = [&](const at::Tensor& m) { return cut(m.to(type)).transpose(1, 2); };
  SsdTorchChunk all{cut(x * d.unsqueeze(-1)).unflatten(2, {p.groups, heads}), da.cumsum(-1), mixers(in.b), mixers(in.c), in.x.scalar_type(), {}, {}};
  if (in.numbers.defined()) {
    const at::Tensor last = in.numbers.narrow(0, p.seq - 1, 1).expand({missing});  // steps that are not there are of the last sequence
    const at::Tensor numbers = at::cat({in.numbers, last}).view({chunks, q}), ends = numbers.select(1, q - 1);
    const auto of_all = [&](const at::Tensor& n) { return n.repeat({p.batch, 1}).unsqueeze(1).unsqueeze(1); };
    all.numbers = of_all(numbers);
    all.number_before = of_all(at::cat({at::zeros_like(ends.narrow(0, 0, 1)), ends.narrow(0, 0, chunks - 1)}).unsqueeze(1));
  }
  /// (B Z, G, ...) as (Z, B, H, ...).
  const auto by_chunk = [&](const at::Tensor& t) { return t.unflatten(0, {p.batch, chunks}).transpose(0, 1); };
  const at::Tensor decay = by_chunk(all.carry().flatten(1, 2)).unsqueeze(-1);  // (Z, B, H, 1, 1)
  const at::Tensor inputs = by_chunk(all.input().unflatten(2, {heads, p.head_dim}).flatten(1, 2));
  const at::Tensor states = RecordedScan<WideWay>::apply(decay.contiguous(), inputs.contiguous(), in.h0);  // (Z, B, H, P, N)
  const at::Tensor before = at::cat({in.h0.unsqueeze(0), states.narrow(0, 0, chunks - 1)}).transpose(0, 1);
  const at::Tensor y = all.before(before.reshape({-1, p.groups, heads * p.head_dim, p.state})) + all.inside();
  const at::Tensor rows = y.transpose(1, 2).flatten(2, 3).unflatten(0, {p.batch, chunks}).flatten(1, 2).narrow(1, 0, p.seq);
  return {in.finish(rows, x, in.z), states[-1]};
}

/// The forward pass with all chunks at once.
template <std::int64_t kChunk>
class SsdWide {
 public:
  static constexpr const char* kOp = "ssd";
  static constexpr bool kRecords = false;

  SsdWide(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<SsdProblem>(problem)), in_(problem_, tensors), out_(tensors["out"]), h_last_(tensors["h_last"]) {}
  void run() {
    const SsdResult result = ssd_torch_wide(problem_, in_, kChunk);
    out_.copy_(result.out);
    h_last_.copy_(result.h_last);
  }

 private:
  SsdProblem problem_;
  SsdTorch in_;
  at::Tensor out_, h_last_;
};

}  // namespace bench::scan
