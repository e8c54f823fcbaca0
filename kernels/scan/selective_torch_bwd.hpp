// SPDX-License-Identifier: Apache-2.0
// The backward pass of the selective scan by LibTorch's autograd, through a forward pass that is recorded in advance, with the recurrence as a function of
// its own (recorded_scan_torch.hpp), on the host and on a device. Only *_torch.cpp files include this.
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/index_fill.h>
#include <ATen/ops/zeros_like.h>

#include <string>
#include <vector>

#include "kernels/scan/recorded_scan_torch.hpp"
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {

/// Leaves of the record, and the whole-sequence operations around the recurrence.
struct SelectiveRecord {
  using List = std::vector<at::Tensor>;
  static constexpr const char* kInputs[] = {"u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0"};

  TorchTensors tensors;
  std::int64_t groups;
  List in;            // in the order of kInputs
  List outputs;       // out, h_last
  at::Tensor a, b, c, d, x, h0;  // A (G, N, Cg); B (L, B, G, N, 1), C (L, B, G, 1, N); d and d u (L, B, G, Cg); (B, G, N, Cg)

  SelectiveRecord(const SelectiveProblem& p, const TorchTensors& given) : tensors(given), groups(p.groups) {
    for (const char* name : kInputs) in.push_back(given[name].detach().set_requires_grad(true));
    a = states_first(in[2], groups);
    b = in[3].transpose(0, 1).unsqueeze(-1), c = in[4].transpose(0, 1).unsqueeze(-2);
    d = at::softplus(steps_first(in[1] + in[7], groups).contiguous());
    x = d * steps_first(in[0], groups);
    h0 = states_first(in[8], groups);
  }
  /// y (L, B, G, Cg) the sums over n, h the last state.
  void finish(const at::Tensor& sums, const at::Tensor& h) {
    const at::Tensor y = sums + steps_first(in[0], groups) * in[5].unflatten(0, {groups, -1});
    outputs = {(y * at::silu(steps_first(in[6], groups))).transpose(0, 1).flatten(2), h.transpose(-1, -2).flatten(1, 2)};
  }
  void differentiate() {
    const auto gradients = torch::autograd::grad(outputs, in, {tensors["dout"], tensors["dh_last"]}, /*retain_graph=*/true);
    for (std::size_t i = 0; i < gradients.size(); ++i) tensors[std::string("d") + kInputs[i]].copy_(gradients[i]);
  }
};

/// Chunks of 16 steps one after the other.
class SelectiveChunksBackward {
 public:
  static constexpr const char* kOp = "selective";
  static constexpr bool kRecords = true;

  SelectiveChunksBackward(const Problem& problem, const TorchTensors& tensors) : record_(problem_as<SelectiveProblem>(problem), tensors) {
    const auto& p = problem_as<SelectiveProblem>(problem);
    // Not narrow: its gradient would be as long as the whole sequence, once a chunk.
    std::vector<std::int64_t> sizes;
    std::vector<bool> starts;
    for (Range chunk{}; chunk.end < p.seq;) {
      chunk = p.segments().piece_at(chunk.end, p.seq, SelectiveChunks::kChunk);
      sizes.push_back(chunk.size());
      starts.push_back(p.segments().start_at(chunk.begin));
    }
    const auto split = [&](const at::Tensor& whole) { return whole.split_with_sizes(sizes); };
    const auto ds = split(record_.d), xs = split(record_.x), bs = split(record_.b), cs = split(record_.c);
    std::vector<at::Tensor> parts;
    at::Tensor h = record_.h0;
    for (std::size_t k = 0; k < ds.size(); ++k) {
      if (starts[k]) h = at::zeros_like(h);
      const at::Tensor decay = (ds[k].unsqueeze(-2) * record_.a).exp();
      const at::Tensor states = RecordedScan<StepWay>::apply(decay, xs[k].unsqueeze(-2) * bs[k], h);
      parts.push_back(cs[k].matmul(states).squeeze(-2));
      h = states[-1];
    }
    record_.finish(at::cat(parts, 0), h);
  }
  void run() { record_.differentiate(); }

 private:
  SelectiveRecord record_;
};

/// All chunks side by side.
class SelectiveWideBackward {
 public:
  static constexpr const char* kOp = "selective";
  static constexpr bool kRecords = true;

  SelectiveWideBackward(const Problem& problem, const TorchTensors& tensors) : record_(problem_as<SelectiveProblem>(problem), tensors) {
    at::Tensor decay = (record_.d.unsqueeze(-2) * record_.a).exp();
    if (const auto& starts = problem_as<SelectiveProblem>(problem).starts; !starts.empty())
      decay = decay.index_fill(0, at::tensor(starts).to(decay.device()), 0);
    const at::Tensor states = RecordedScan<WideWay>::apply(decay, record_.x.unsqueeze(-2) * record_.b, record_.h0);
    record_.finish(record_.c.matmul(states).squeeze(-2), states[-1]);
  }
  void run() { record_.differentiate(); }

 private:
  SelectiveRecord record_;
};

}  // namespace bench::scan
