// SPDX-License-Identifier: Apache-2.0
// The backward pass of Mamba-2's scan by LibTorch's automatic differentiation of ssd_torch.hpp's forms. Only
// *_torch.cpp files include this.
#pragma once

#include <torch/csrc/autograd/autograd.h>

#include <optional>
#include <vector>

#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {

using SsdForward = SsdResult (*)(const SsdProblem&, const SsdTorch&, std::int64_t chunk);

/// The forward pass's graph: leaves and results. Leaves are in the state's type, so that sums are not rounded
/// to 16 bits on their way.
struct SsdGraph {
  SsdTorch in;
  SsdResult result;

  SsdGraph(const SsdProblem& p, const SsdTorch& inputs, std::int64_t chunk, SsdForward forward) : in(inputs) {
    const at::ScalarType type = in.type();
    for (at::Tensor* leaf : leaves()) *leaf = leaf->to(type).detach().requires_grad_(true);
    result = forward(p, in, chunk);
  }
  std::vector<at::Tensor*> leaves() {
    std::vector<at::Tensor*> all{&in.x, &in.dt, &in.a, &in.b, &in.c, &in.skip, &in.bias, &in.h0};
    if (in.z.defined()) all.push_back(&in.z);
    return all;
  }
  /// Fills the op's outputs. `keep`: the graph is used again.
  void differentiate(const TorchTensors& tensors, bool keep) {
    std::vector<at::Tensor> from;
    for (const at::Tensor* leaf : leaves()) from.push_back(*leaf);
    const auto gradients = torch::autograd::grad({result.out, result.h_last}, from, {tensors["dout"].to(in.type()), tensors["dh_last"]}, keep);
    const char* const names[] = {"dx", "ddt", "dA", "dB", "dC", "dD", "ddt_bias", "dh0", "dz"};
    for (std::size_t i = 0; i < gradients.size(); ++i) tensors[names[i]].copy_(gradients[i]);
  }
};

inline constexpr std::int64_t kSsdBackwardChunk = 64;

/// From the inputs, the forward pass with it, or (kSaved) from a graph that was made in advance.
template <SsdForward kForward, bool kSaved>
class SsdBackward {
 public:
  static constexpr const char* kOp = "ssd";
  static constexpr bool kRecords = true;

  SsdBackward(const Problem& problem, const TorchTensors& tensors) : problem_(problem_as<SsdProblem>(problem)), tensors_(tensors), in_(problem_, tensors) {
    if constexpr (kSaved) saved_.emplace(problem_, in_, kSsdBackwardChunk, kForward);
  }
  void run() {
    if constexpr (kSaved)
      saved_->differentiate(tensors_, true);
    else
      SsdGraph(problem_, in_, kSsdBackwardChunk, kForward).differentiate(tensors_, false);
  }

 private:
  SsdProblem problem_;
  TorchTensors tensors_;
  SsdTorch in_;
  std::optional<SsdGraph> saved_;
};

}  // namespace bench::scan
