// SPDX-License-Identifier: Apache-2.0
// Into how many spans of tokens a device cuts the sequences of a decode step. Pure, so that it is tested with no device.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/rounding.hpp"

namespace bench::decode {

struct SplitPlan {
  std::int64_t splits = 1;
  std::int64_t span = 1;  // tokens of a split: a multiple of kSpanStep
};

inline constexpr std::int64_t kSpanStep = 64;       // tokens: whole rounds of every block shape
inline constexpr std::int64_t kMostSplits = 256;    // that are merged
inline constexpr std::int64_t kShortestSpan = 256;  // tokens; below, a block's start and the merge cost more than its reading

/// `blocks` blocks (sequence and key/value head) of up to `tokens` tokens on a device that holds `slots` blocks at once: the fewest splits
/// whose last wave leaves at most 15 % more of the device idle than the best cut's (FlashAttention's rule, its num_splits_heuristic).
inline SplitPlan plan_splits(std::int64_t blocks, std::int64_t tokens, std::int64_t slots) {
  const auto cut = [&](std::int64_t splits) {
    const std::int64_t span = round_up(ceil_div(tokens, splits), kSpanStep);
    return SplitPlan{ceil_div(tokens, span), span};
  };
  const auto busy = [&](std::int64_t splits) {
    const std::int64_t all = blocks * splits;
    return static_cast<double>(all) / static_cast<double>(ceil_div(all, slots) * slots);
  };
  const std::int64_t most = std::clamp<std::int64_t>(tokens / kShortestSpan, 1, kMostSplits);
  double best = 0.0;
  for (std::int64_t splits = 1; splits <= most; ++splits) best = std::max(best, busy(cut(splits).splits));
  for (std::int64_t splits = 1; splits <= most; ++splits)
    if (busy(cut(splits).splits) >= 0.85 * best) return cut(splits);
  return cut(most);
}

/// Tokens a span where a sequence's bits must not depend on its company: neither batch nor device have a say. As many as a partition of vLLM's
/// paged attention v2.
inline constexpr std::int64_t kFixedSpan = 512;
static_assert(kFixedSpan % kSpanStep == 0);

inline SplitPlan fixed_splits(std::int64_t tokens) { return {ceil_div(tokens, kFixedSpan), kFixedSpan}; }

}  // namespace bench::decode
