// SPDX-License-Identifier: Apache-2.0
// The backward pass of h_t = a_t h_{t-1} + b_t as LibTorch operations, on the host and on a device. Only *_torch.cpp files include this.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <vector>

#include "kernels/scan/recurrence.hpp"
#include "kernels/torch_form.hpp"

namespace bench::scan {

/// db_t = dh_t + a_{t+1} db_{t+1} as an in-place addcmul a step, then da = db h as one product.
class RecurrenceLoopBackward {
 public:
  static constexpr const char* kOp = "recurrence";
  static constexpr bool kRecords = false;

  RecurrenceLoopBackward(const Problem& problem, const TorchTensors& in)
      : problem_(problem_as<RecurrenceProblem>(problem)), in_(in), a_(in["a"].unbind(1)), db_(in["db"].unbind(1)) {}

  void run() {
    in_["db"].copy_(in_["dh"]);
    db_.back().add_(in_["dh_last"]);
    const std::size_t last = db_.size() - 1;
    const Segments segments = problem_.segments();
    for (std::size_t t = last; t > 0; --t)
      if (!segments.start_at(static_cast<std::int64_t>(t))) db_[t - 1].addcmul_(a_[t], db_[t]);
    at::Tensor dh0 = in_["dh0"];
    at::mul_out(dh0, a_[0], db_[0]);
    const auto later = static_cast<std::int64_t>(last);
    at::Tensor first_da = in_["da"].select(1, 0), later_da = in_["da"].narrow(1, 1, later);
    at::mul_out(first_da, db_[0], in_["h0"]);
    at::mul_out(later_da, in_["db"].narrow(1, 1, later), in_["h"].narrow(1, 0, later));
    for (const std::int64_t start : segments.starts) in_["da"].select(1, start).zero_();
  }

 private:
  RecurrenceProblem problem_;
  TorchTensors in_;
  std::vector<at::Tensor> a_, db_;  // (B, C) of each step
};

/// Autograd's, through the forward loop, which is recorded in advance on the b that leads to the saved h (b_t = h_t - a_t h_{t-1}).
class RecurrenceAutograd {
 public:
  static constexpr const char* kOp = "recurrence";
  static constexpr bool kRecords = true;

  RecurrenceAutograd(const Problem& problem, const TorchTensors& in) : in_(in) {
    const at::Tensor a = recorded(in["a"]), h0 = recorded(in["h0"]), saved = in["h"];
    const Segments segments = problem_as<RecurrenceProblem>(problem).segments();
    const at::Tensor before = at::cat({h0.detach().unsqueeze(1), saved.narrow(1, 0, saved.size(1) - 1)}, 1);
    for (const std::int64_t first : segments.starts) before.select(1, first).zero_();
    const at::Tensor b = recorded(saved - a.detach() * before);
    const std::vector<at::Tensor> a_of_step = a.unbind(1), b_of_step = b.unbind(1);
    std::vector<at::Tensor> h;
    const at::Tensor zero = at::zeros_like(h0);
    for (std::size_t t = 0; t < b_of_step.size(); ++t) {
      const bool starts = segments.start_at(static_cast<std::int64_t>(t));
      h.push_back(at::addcmul(b_of_step[t], a_of_step[t], t == 0 ? h0 : starts ? zero : h[t - 1]));
    }
    inputs_ = {a, b, h0};
    outputs_ = {at::stack(h, 1), h.back()};
  }

  void run() {
    const auto gradients = torch::autograd::grad(outputs_, inputs_, {in_["dh"], in_["dh_last"]}, /*retain_graph=*/true);
    in_["da"].copy_(gradients[0]);
    in_["db"].copy_(gradients[1]);
    in_["dh0"].copy_(gradients[2]);
  }

 private:
  static at::Tensor recorded(const at::Tensor& values) { return values.detach().set_requires_grad(true); }

  TorchTensors in_;
  std::vector<at::Tensor> inputs_;   // a, b, h0
  std::vector<at::Tensor> outputs_;  // h, h_last
};

}  // namespace bench::scan
