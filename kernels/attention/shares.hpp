// SPDX-License-Identifier: Apache-2.0
// Who holds what: the global positions of every rank's share, looked up once in prepare.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention/attention.hpp"

namespace bench::attention {

/// Positions of every rank, ascending on each. With fewer positions than ranks some are empty.
struct Shares {
  std::vector<std::vector<std::int64_t>> positions;

  Shares() = default;
  explicit Shares(const AttentionProblem& p) {
    for (std::int64_t r = 0; r < p.ranks; ++r) positions.push_back(rank_positions(p, r));
  }
  std::span<const std::int64_t> of(int rank) const { return positions[static_cast<std::size_t>(rank)]; }
  std::int64_t length(int rank) const { return static_cast<std::int64_t>(of(rank).size()); }
};

/// What a share's tensor of `heads` heads holds: elements of (B, heads, rows, D).
inline std::int64_t share_elements(const AttentionProblem& p, std::int64_t heads, std::int64_t rows) {
  return p.batch * heads * rows * p.head_dim;
}

}  // namespace bench::attention
