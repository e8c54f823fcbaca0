// SPDX-License-Identifier: Apache-2.0
// Which problems the ssd kernels on tensor cores take, and the tiles they use for them.
#pragma once

#include <string>

#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

/// Steps of a chunk where time is cut as well.
constexpr int split_steps(std::int64_t states) {
  return states <= 128 ? 128 : 64;
}
inline std::int64_t split_chunks(const SsdProblem& p) {
  return ceil_div(p.seq, split_steps(p.state));
}

/// Why such a kernel does not take a problem; empty when it does. Rows of 16-bit elements move in whole 16 bytes.
inline std::string needs_ssd_tiles(const SsdProblem& p, std::int64_t most_states) {
  if (p.head_dim % 8 != 0) return concat("head_dim = ", p.head_dim, ": this kernel takes multiples of 8");
  if (p.state % 8 != 0 || p.state > most_states) return concat("state = ", p.state, ": this kernel takes multiples of 8 up to ", most_states);
  return needs_small_indices(p);
}

/// Why a kernel with a block for every chunk does not take a problem; empty when it does.
inline std::string needs_few_chunks(const SsdProblem& p) {
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;  // a launch's blocks
  const std::int64_t states = ceil_div(p.batch * p.heads * p.head_states(), 4 * 128);
  if (split_chunks(p) * p.batch * p.heads * ceil_div(p.head_dim, 32) > kMost || states > kMost) return "this kernel takes up to 2^31 blocks";
  return {};
}

}  // namespace bench::scan
