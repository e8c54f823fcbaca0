// SPDX-License-Identifier: Apache-2.0
// How heads are cut over ranks: runs of query heads, each with the key/value heads that it reads. A
// key/value head that serves query heads of several ranks is replicated on all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/attention/attention.hpp"

namespace bench::attention {

/// Heads [first, first + count) and their key/value heads [kv_first, kv_first + kv_count).
struct HeadRun {
  std::int64_t first = 0, count = 0;
  std::int64_t kv_first = 0, kv_count = 0;
};

/// The heads of `rank`: the first H mod P ranks hold one more. At least one each when P <= H.
HeadRun rank_heads(const AttentionProblem& problem, std::int64_t rank);

/// Kernel::supports of what cuts heads over ranks: every rank needs one.
std::string supports_head_cut(const Problem& problem);

/// Whether some key/value head serves query heads of several ranks: its gradient is then a sum over ranks.
bool ranks_share_keys(const AttentionProblem& problem);

/// A run cut into pieces that are attention problems of their own, each query head group of equal size: the
/// run itself when whole groups or one key/value head fill it, else one piece a key/value head.
std::vector<HeadRun> uniform_pieces(const AttentionProblem& problem, const HeadRun& run);

}  // namespace bench::attention
