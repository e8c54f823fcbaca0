// SPDX-License-Identifier: Apache-2.0
// What a device's kernels of the selective scan's backward pass are told besides the forward pass's tensors.
#pragma once

#include <cstdint>

#include "kernels/scan/ordered_sum.hpp"
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

}  // namespace bench::scan
