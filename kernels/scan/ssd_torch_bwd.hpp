// SPDX-License-Identifier: Apache-2.0
// The backward pass of Mamba-2's scan by LibTorch's automatic differentiation of ssd_torch.hpp's form. Only
// *_torch.cpp files include this.
#pragma once

#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "kernels/scan/ssd_torch.hpp"

namespace bench::scan {

/// The forward pass's graph: leaves and results. Leaves are in the state's type, so that sums are not rounded
/// to 16 bits on their way.
struct SsdGraph {
  SsdTorch in;
  at::Tensor out, h_last;

  SsdGraph(const SsdProblem& p, Tensors& tensors, std::int64_t chunk) : in(tensors) {
    const at::ScalarType type = in.a.scalar_type();
    for (at::Tensor* leaf : leaves()) *leaf = leaf->to(type).detach().requires_grad_(true);
    std::vector<at::Tensor> rows;
    h_last =
        ssd_torch_scan(p, in, chunk, [&](std::int64_t, const at::Tensor& more) { rows.push_back(more); });
    out = at::cat(rows, 1);
  }
  std::vector<at::Tensor*> leaves() {
    std::vector<at::Tensor*> all{&in.x, &in.dt, &in.a, &in.b, &in.c, &in.skip, &in.bias, &in.h0};
    if (in.z.defined()) all.push_back(&in.z);
    return all;
  }
  /// Fills the op's outputs. `keep`: the graph is used again.
  void differentiate(Tensors& tensors, bool keep) {
    std::vector<at::Tensor> from;
    for (const at::Tensor* leaf : leaves()) from.push_back(*leaf);
    const at::ScalarType type = in.a.scalar_type();
    const auto gradients = torch::autograd::grad(
        {out, h_last}, from, {as_torch(tensors["dout"]).to(type), as_torch(tensors["dh_last"])}, keep);
    const char* const names[] = {"dx", "ddt", "dA", "dB", "dC", "dD", "ddt_bias", "dh0", "dz"};
    for (std::size_t i = 0; i < gradients.size(); ++i) as_torch(tensors[names[i]]).copy_(gradients[i]);
  }
};

}  // namespace bench::scan
