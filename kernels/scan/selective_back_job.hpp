// SPDX-License-Identifier: Apache-2.0
// What a device's kernels of the selective scan's backward pass are told besides the forward pass's tensors, and how sums over blocks are added up.
#pragma once

#include <cstdint>

#include "kernels/scan/selective_job.hpp"

namespace bench::scan {

/// Tensors as selective_bwd.hpp has them; states: (B, marks, C, N), before every so many steps.
struct SelectiveBackJob : SelectiveJob {
  const void* dout;
  const float* dh_last;
  void *du, *ddelta, *dz;
  float *db, *dc;              // (B, L, G, N), or so many of them, one a block of a group's channels, `piece` numbers apart
  float *da, *dskip, *dbias;   // (B, C, N) and twice (B, C): an entry each
  float* dh0;
  std::int64_t piece;
  bool adds;  // blocks of a group add to one dB and dC as they come; otherwise each has its own
};

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

}  // namespace bench::scan
