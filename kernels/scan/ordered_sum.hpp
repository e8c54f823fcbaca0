// SPDX-License-Identifier: Apache-2.0
// Sums over blocks, entries or ranks in an order of their own, so that bits repeat: a lane a number. The body; ordered_sum.cu launches it.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::scan {

/// to[i] = from[i] + from[i + count] + ..., in this order.
struct OrderedSum {
  const float* from;
  float* to;
  std::int64_t count;
  int parts;

  static constexpr int kThreads = 256;
  BS_HOST_DEVICE std::int64_t blocks() const { return (count + kThreads - 1) / kThreads; }

  template <class M>
  BS_DEVICE void run() const {
    const std::int64_t i = static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    if (i >= count) return;
    float sum = from[i];
    for (int part = 1; part < parts; ++part) sum += from[part * count + i];
    to[i] = sum;
  }
};

/// On `stream`, a cudaStream_t. In files that are compiled with CUDA.
void launch_sum(const OrderedSum& job, void* stream);

}  // namespace bench::scan
