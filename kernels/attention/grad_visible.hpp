// SPDX-License-Identifier: Apache-2.0
// Masking for the backward pass over shares: by global positions, which ascend in every share, so that what a
// row sees of a share is a prefix of it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention/grad_share.hpp"
#include "kernels/attention/share_attention.hpp"

namespace bench::attention {

/// Sets work.visible: how many of `keys` each of `rows` (at least one) sees. Rows that pad the last strip see
/// what the last row sees.
template <class Real>
void count_visible(const AttentionProblem& p, Positions rows, Positions keys,
                   const GradWorkspace<Real>& work) {
  for (std::int64_t r = 0; r < work.row_stride; ++r) {
    const auto row = std::min(static_cast<std::size_t>(r), rows.size() - 1);
    const auto end = p.causal ? std::upper_bound(keys.begin(), keys.end(), rows[row]) : keys.end();
    work.visible[r] = end - keys.begin();
  }
}

}  // namespace bench::attention
