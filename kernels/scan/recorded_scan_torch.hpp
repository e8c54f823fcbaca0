// SPDX-License-Identifier: Apache-2.0
// h_t = decay_t h_{t-1} + x_t along the first axis as one function to autograd, so that it does not record single steps. Only *_torch.cpp files
// include this.
#pragma once

#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/scan/wide_scan_torch.hpp"

namespace bench::scan {

/// Step by step: for the host, whose caches hold a chunk's steps.
struct StepWay {
  static at::Tensor forward(const at::Tensor& decay, const at::Tensor& x, const at::Tensor& h) {
    at::Tensor states = x.clone();
    states[0].addcmul_(decay[0], h);
    for (std::int64_t t = 1; t < x.size(0); ++t) states[t].addcmul_(decay[t], states[t - 1]);
    return states;
  }
  static at::Tensor reverse(const at::Tensor& decay, const at::Tensor& g) {
    at::Tensor r = g.clone(at::MemoryFormat::Contiguous);
    for (std::int64_t t = r.size(0) - 1; t > 0; --t) r[t - 1].addcmul_(decay[t], r[t]);
    return r;
  }
};

/// Way: StepWay or WideWay. decay may be broadcast along axes where it has one element.
template <class Way>
struct RecordedScan : torch::autograd::Function<RecordedScan<Way>> {
  using Context = torch::autograd::AutogradContext;
  using List = torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const at::Tensor& decay, const at::Tensor& x, const at::Tensor& h) {
    const at::Tensor states = Way::forward(decay, x, h);
    context->save_for_backward({decay, states, h});
    return states;
  }
  static List backward(Context* context, List gradients) {
    const List saved = context->get_saved_variables();
    const at::Tensor &decay = saved[0], &states = saved[1], &h = saved[2];
    const at::Tensor dx = Way::reverse(decay, gradients[0].contiguous());
    const std::int64_t later = dx.size(0) - 1;
    at::Tensor ddecay = at::empty_like(dx);
    at::Tensor first = ddecay[0], rest = ddecay.narrow(0, 1, later);
    at::mul_out(first, dx[0], h);
    at::mul_out(rest, dx.narrow(0, 1, later), states.narrow(0, 0, later));
    if (!ddecay.sizes().equals(decay.sizes())) ddecay = ddecay.sum_to_size(decay.sizes());
    return {ddecay, dx, decay[0] * dx[0]};
  }
};

}  // namespace bench::scan
