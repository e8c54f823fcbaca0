// SPDX-License-Identifier: Apache-2.0
// y <- act(y + bias) in place, behind a product that knows neither (cuBLAS'). A block takes 1024 outputs of a row.
#pragma once

#include <cstdint>

#include "kernels/linear/finish.hpp"

namespace bench::linear {

struct FinishRowsJob {
  void* y;
  int m, n;
  Finish finish;
};

template <class M, class T>
struct FinishRows {
  static constexpr int kThreads = 256, kEach = 4;

  static BS_HOST_DEVICE int across(int n) { return (n + kThreads * kEach - 1) / (kThreads * kEach); }
  static BS_HOST_DEVICE int blocks(const FinishRowsJob& job) { return job.m * across(job.n); }

  static BS_DEVICE void run(const FinishRowsJob& job) {
    const int row = M::block() / across(job.n), first = M::block() % across(job.n) * kThreads * kEach + M::thread();
    T* const y = static_cast<T*>(job.y) + static_cast<std::int64_t>(row) * job.n;
    BS_UNROLL
    for (int i = 0; i < kEach; ++i) {
      const int column = first + i * kThreads;
      if (column < job.n) y[column] = M::template round<T>(job.finish.template value<M, T>(cuda::value<M>(y[column]), column));
    }
  }
};

}  // namespace bench::linear
