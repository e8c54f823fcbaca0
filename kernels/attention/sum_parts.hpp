// SPDX-License-Identifier: Apache-2.0
// What becomes of fp32 sums of dK and dV on a device: added to others, and rounded in the end. The bodies only, as in flash_mma.hpp.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::attention {

/// `count` floats, a multiple of 4.
struct SumJob {
  const float* from;
  float* to;     // AddSums
  void* rounded; // RoundSums
  std::int64_t count;
};

/// to += from.
template <class M>
class AddSums {
 public:
  static constexpr int kThreads = 256;
  static int blocks(const SumJob& job) { return static_cast<int>((job.count / 4 + kThreads - 1) / kThreads); }

  BS_DEVICE static void run(const SumJob& job) {
    struct alignas(16) Four {
      float x[4];
    };
    const std::int64_t at = static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    if (at >= job.count / 4) return;
    const Four more = reinterpret_cast<const Four*>(job.from)[at];
    Four sums = reinterpret_cast<Four*>(job.to)[at];
    BS_UNROLL
    for (int i = 0; i < 4; ++i) sums.x[i] += more.x[i];
    reinterpret_cast<Four*>(job.to)[at] = sums;
  }
};

/// rounded = from, in T.
template <class M, class T>
class RoundSums {
 public:
  static constexpr int kThreads = 256;
  static int blocks(const SumJob& job) { return static_cast<int>((job.count / 2 + kThreads - 1) / kThreads); }

  BS_DEVICE static void run(const SumJob& job) {
    const std::int64_t at = static_cast<std::int64_t>(M::block()) * kThreads + M::thread();
    if (at < job.count / 2) static_cast<std::uint32_t*>(job.rounded)[at] = M::template pack<T>(job.from[2 * at], job.from[2 * at + 1]);
  }
};

}  // namespace bench::attention
