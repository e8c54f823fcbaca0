// SPDX-License-Identifier: Apache-2.0
// h_t = decay_t h_{t-1} + x_t along the first axis in few large LibTorch operations, for a device: a step of all chunks at once, in fp32 or fp64. Only
// *_torch.cpp files include this.
//
// Chunks of T = 16 steps: their own states, from zero, and the products of their decays, T - 1 pairs of in-place operations on every 16th step; the last
// states of the chunks are the same recurrence, 16 times shorter, solved the same way; then one operation brings what came before each chunk to all its
// steps. Some 32 operations a level, log_16 L levels, where a loop takes L. Products of decays, never differences of sums: exact where decays are zero,
// and nothing overflows. Work: five passes over decays and states where a kernel needs one over its inputs.
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sum_to_size.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/rounding.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {

inline constexpr std::int64_t kWideChunk = 16;

/// (L, ...) as (Z, T, ...), by copying and filling up where L is not Z T.
inline at::Tensor in_chunks(const at::Tensor& steps, std::int64_t chunk, double filler) {
  const std::int64_t length = steps.size(0), chunks = ceil_div(length, chunk);
  at::Tensor whole = steps;
  if (length < chunks * chunk) {
    std::vector<std::int64_t> shape = steps.sizes().vec();
    shape[0] = chunks * chunk;
    whole = at::empty(shape, steps.options());
    whole.narrow(0, 0, length).copy_(steps);
    whole.narrow(0, length, chunks * chunk - length).fill_(filler);
  }
  return whole.unflatten(0, {chunks, chunk});
}

/// All states. decay (L, ...) broadcasts to x (L, ...); both may be overwritten. h0 (...).
inline at::Tensor wide_scan(const at::Tensor& decay, const at::Tensor& x, const at::Tensor& h0) {
  const std::int64_t length = x.size(0), chunk = std::min(kWideChunk, length);
  const at::Tensor d = in_chunks(decay, chunk, 1.0), s = in_chunks(x, chunk, 0.0);
  const auto decays = d.unbind(1), states = s.unbind(1);
  for (std::size_t i = 1; i < states.size(); ++i) {
    states[i].addcmul_(decays[i], states[i - 1]);
    decays[i].mul_(decays[i - 1]);
  }
  at::Tensor before = h0.unsqueeze(0);
  if (const std::int64_t chunks = s.size(0); chunks > 1)
    before = at::cat({before, wide_scan(decays.back().clone(), states.back().clone(), h0).narrow(0, 0, chunks - 1)});
  s.addcmul_(d, before.unsqueeze(1));
  return s.flatten(0, 1).narrow(0, 0, length);
}

/// A way to solve the recurrence, and r_t = g_t + decay_{t+1} r_{t+1} by it. Neither overwrites its arguments.
struct WideWay {
  static at::Tensor forward(const at::Tensor& decay, const at::Tensor& x, const at::Tensor& h0) { return wide_scan(decay.clone(), x.clone(), h0); }
  static at::Tensor reverse(const at::Tensor& decay, const at::Tensor& g) {
    const at::Tensor turned = g.flip(0);
    return wide_scan(decay.flip(0).roll(1, 0), turned, at::zeros_like(turned[0])).flip(0);  // the decay that comes round meets the zero
  }
};

}  // namespace bench::scan
