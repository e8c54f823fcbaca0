// SPDX-License-Identifier: Apache-2.0
// What a launch of a hop is told: a rank's own queries against the keys and values of one rank's share. The softmax state stays on the
// device between hops and is normalised once, in the last.
//
// Which keys a row sees needs no case for each layout. Positions ascend on every rank, so of any share a causal row sees the first ones, as many as stand
// at or before it: full, skipped and diagonal tiles follow from that number alone (KeyBlocks), for contiguous, zigzag, striped and ragged shares. Of the
// own share row i sees i + 1.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/shares.hpp"

namespace bench::attention {

/// DeviceJob of one rank's rows (seq) and one share's keys (kv_seq).
struct HopJob : DeviceJob {
  float* state;  // of all blocks of rows, in an order of the kernel's own
  bool first, last;
};

/// What a rank's rows see of a share, as RowMask::bounds has it.
inline std::vector<std::int32_t> hop_bounds(std::span<const std::int64_t> rows, std::span<const std::int64_t> keys) {
  std::vector<std::int32_t> bounds;
  bounds.reserve(2 * rows.size());
  for (const std::int64_t row : rows) {
    bounds.push_back(0);
    bounds.push_back(static_cast<std::int32_t>(std::ranges::upper_bound(keys, row) - keys.begin()));
  }
  return bounds;
}

}  // namespace bench::attention
