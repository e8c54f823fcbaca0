// SPDX-License-Identifier: Apache-2.0
// What the LibTorch forms of the selective scan share: the problem with time first and channels last, (L, B,
// G, .) with Cg = C / G channels a group, so that a step is one contiguous block and every operation runs
// along channels. Only *_torch.cpp files include this.
#pragma once

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <cstdint>

#include "kernels/scan/selective.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {

/// (B, L, C) as (L, B, G, Cg); a view.
inline at::Tensor steps_first(const at::Tensor& steps, std::int64_t groups) {
  return steps.unflatten(2, {groups, -1}).transpose(0, 1);
}

/// (C, N) or (B, C, N) as (..., G, N, Cg); a view.
inline at::Tensor states_first(const at::Tensor& states, std::int64_t groups) {
  return states.unflatten(-2, {groups, -1}).transpose(-1, -2);
}

/// The inputs in that order, as views.
struct SelectiveTorch {
  at::Tensor u, delta, z, out;  // (L, B, G, Cg)
  at::Tensor b, c;              // (L, B, G, N)
  at::Tensor a;                 // (G, N, Cg), contiguous
  at::Tensor skip, bias;        // (G, Cg)
  at::Tensor h0;                // (B, G, N, Cg)

  SelectiveTorch(const SelectiveProblem& p, Tensors& tensors) {
    const auto steps = [&](const char* name) { return steps_first(as_torch(tensors[name]), p.groups); };
    u = steps("u"), delta = steps("delta"), z = steps("z");
    b = as_torch(tensors["B"]).transpose(0, 1), c = as_torch(tensors["C"]).transpose(0, 1);
    a = states_first(as_torch(tensors["A"]), p.groups).contiguous();
    skip = as_torch(tensors["D"]).unflatten(0, {p.groups, -1});
    bias = as_torch(tensors["delta_bias"]).unflatten(0, {p.groups, -1});
    h0 = states_first(as_torch(tensors["h0"]), p.groups);
    if (!p.backward()) out = steps("out");
  }
};

}  // namespace bench::scan
