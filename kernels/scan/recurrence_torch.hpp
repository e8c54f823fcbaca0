// SPDX-License-Identifier: Apache-2.0
// h_t = a_t h_{t-1} + b_t as LibTorch operations, on the host and on a device; each form's story is in the kernel that runs it on the host. Only
// *_torch.cpp files include this.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/logcumsumexp.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <cstdint>
#include <vector>

#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/wide_scan_torch.hpp"
#include "kernels/torch_form.hpp"

namespace bench::scan {

/// A fused addcmul a step on (B, C) slices, which are made in advance: no allocation and no view in the loop.
class RecurrenceLoop {
 public:
  static constexpr const char* kOp = "recurrence";
  static constexpr bool kRecords = false;

  RecurrenceLoop(const Problem& problem, const TorchTensors& in)
      : problem_(problem_as<RecurrenceProblem>(problem)), a_(in["a"].unbind(1)), b_(in["b"].unbind(1)), h_(in["h"].unbind(1)), h0_(in["h0"]), h_last_(in["h_last"]) {}

  void run() {
    const at::Tensor* previous = &h0_;
    const Segments segments = problem_.segments();
    for (std::size_t t = 0; t < h_.size(); ++t) {
      if (segments.start_at(static_cast<std::int64_t>(t)))
        h_[t].copy_(b_[t]);
      else
        at::addcmul_out(h_[t], b_[t], a_[t], *previous);
      previous = &h_[t];
    }
    h_last_.copy_(*previous);
  }

 private:
  RecurrenceProblem problem_;
  std::vector<at::Tensor> a_, b_, h_;  // (B, C) of each step
  at::Tensor h0_, h_last_;
};

/// By sums of logarithms in fp64 (Heinsen 2023): h_t = exp(A_t + log(h_0 + sum_s b_s exp(-A_s))), A_t the sum of log a; positive and negative b apart.
class RecurrenceHeinsen {
 public:
  static constexpr const char* kOp = "recurrence";
  static constexpr bool kRecords = false;

  RecurrenceHeinsen(const Problem& problem, const TorchTensors& in)
      : axis_(problem_as<RecurrenceProblem>(problem).time_axis()), a_(in["a"]), b_(in["b"]), h0_(in["h0"]), h_(in["h"]), h_last_(in["h_last"]) {}

  void run() {
    const at::Tensor log_a = log_of_positive(a_.abs()).cumsum(axis_);
    const at::Tensor sign = at::where(a_.lt(0.0), -1.0, 1.0).to(at::kFloat).cumprod(axis_);
    const at::Tensor b = b_ * sign;
    h_.copy_(positive_part(log_a, b, h0_).sub_(positive_part(log_a, -b, -h0_)).mul_(sign));
    h_last_.copy_(h_.select(axis_, h_.size(axis_) - 1));
  }

 private:
  /// log x for x > 0 in fp64; zeros and negative values count as 1e-300.
  static at::Tensor log_of_positive(const at::Tensor& x) { return x.to(at::kDouble).clamp_min_(1e-300).log_(); }
  /// The recurrence of the positive parts of h0 and b under positive decays, whose sums of logarithms are log_a.
  at::Tensor positive_part(const at::Tensor& log_a, const at::Tensor& b, const at::Tensor& h0) const {
    const at::Tensor terms = at::cat({log_of_positive(h0).unsqueeze(axis_), log_of_positive(b).sub_(log_a)}, axis_);
    return at::logcumsumexp(terms, axis_).narrow(axis_, 1, log_a.size(axis_)).add(log_a).exp_();
  }

  int axis_;
  at::Tensor a_, b_, h0_, h_, h_last_;
};

/// All chunks side by side (wide_scan_torch.hpp), in the state's type.
class RecurrenceWide {
 public:
  static constexpr const char* kOp = "recurrence";
  static constexpr bool kRecords = false;

  RecurrenceWide(const Problem& problem, const TorchTensors& in) : h0_(in["h0"]), h_last_(in["h_last"]) {
    const auto& p = problem_as<RecurrenceProblem>(problem);
    const auto steps_first = [&](const char* name) { return p.time_last ? in[name].permute({2, 0, 1}) : in[name].transpose(0, 1); };
    a_ = steps_first("a"), b_ = steps_first("b"), h_ = steps_first("h");
    if (!p.starts.empty()) starts_ = at::tensor(p.starts).to(a_.device());
  }

  void run() {
    const auto scratch = [&](const at::Tensor& steps) { return steps.to(h0_.scalar_type(), false, /*copy=*/true, at::MemoryFormat::Contiguous); };
    at::Tensor decay = scratch(a_);
    if (starts_.defined()) decay.index_fill_(0, starts_, 0);
    const at::Tensor states = wide_scan(decay, scratch(b_), h0_);
    h_.copy_(states);
    h_last_.copy_(states[-1]);
  }

 private:
  at::Tensor a_, b_, h_;  // (L, B, C), views
  at::Tensor h0_, h_last_, starts_;
};

}  // namespace bench::scan
