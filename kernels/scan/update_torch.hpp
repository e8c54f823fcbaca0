// SPDX-License-Identifier: Apache-2.0
// One token's state update as LibTorch operations, in place on the new state, on the host and on a device. Only *_torch.cpp files include this.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/scan/update.hpp"
#include "kernels/torch_form.hpp"

namespace bench::scan {

/// h_last = h0 decay; h_last += (d x) B^T by addcmul; a batched product with C per group. With a cache the states are gathered into h_last first.
class UpdateByOps {
 public:
  static constexpr const char* kOp = "ssm_update";
  static constexpr bool kRecords = false;

  UpdateByOps(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<UpdateProblem>(problem)), in_(tensors) {
    const auto& all = problem_.state_batch_indices;
    if (problem_.slots > 0) slots_ = at::tensor(std::vector<std::int64_t>(all.begin(), all.begin() + problem_.live()), at::kLong).to(in_["h0"].device());
  }

  void run() {
    const auto& p = problem_;
    const at::Tensor a = in_["A"], skip = in_["D"];
    const auto live = [&](const char* name) { return in_[name].narrow(0, 0, p.live()); };
    const auto widened = [&](const char* name) { return live(name).to(a.scalar_type()); };
    const at::Tensor x = widened("x"), z = widened("z"), b = widened("B"), c = widened("C");
    const at::Tensor d = at::softplus(widened("dt") + in_["dt_bias"]);  // (B, H, W)
    at::Tensor h = live("h_last");
    if (slots_.defined()) at::index_select_out(h, in_["h0"], 0, slots_);
    at::mul_out(h, slots_.defined() ? h : in_["h0"], (d.unsqueeze(-1) * a).exp_());
    const at::Tensor input = (d * x).unflatten(1, {p.groups, -1}).unsqueeze(-1);  // (B, G, H / G, P, 1)
    at::Tensor grouped = h.unflatten(1, {p.groups, -1});
    grouped.addcmul_(input, b.unsqueeze(2).unsqueeze(2));  // (B, G, 1, 1, N)
    const at::Tensor y = grouped.flatten(2, 3).matmul(c.unsqueeze(-1)).reshape({p.live(), p.heads, p.head_dim});
    live("out").copy_((y + skip * x).mul_(at::silu(z)));
    for (const char* name : {"out", "h_last"}) in_[name].narrow(0, p.live(), p.padding).zero_();
  }

 private:
  UpdateProblem problem_;
  TorchTensors in_;
  at::Tensor slots_;  // (live entries), if there is a cache
};

}  // namespace bench::scan
