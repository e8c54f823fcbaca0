// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/head_split.hpp"

#include <algorithm>

namespace bench::attention {
namespace {

HeadRun with_kv_heads(const AttentionProblem& problem, std::int64_t first, std::int64_t count) {
  HeadRun run{first, count, first / problem.group(), 0};
  if (count > 0) run.kv_count = (first + count - 1) / problem.group() - run.kv_first + 1;
  return run;
}

}  // namespace

HeadRun rank_heads(const AttentionProblem& problem, std::int64_t rank) {
  const std::int64_t each = problem.heads / problem.ranks, more = problem.heads % problem.ranks;
  return with_kv_heads(problem, rank * each + std::min(rank, more), each + (rank < more ? 1 : 0));
}

std::string supports_head_cut(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks <= p.heads) return supports_no_mask(problem);
  return concat("heads are cut over ranks: ", p.ranks, " ranks need as many heads, there are ", p.heads);
}

bool ranks_share_keys(const AttentionProblem& problem) {
  for (std::int64_t rank = 1; rank < problem.ranks; ++rank)
    if (rank_heads(problem, rank).first % problem.group() != 0) return true;
  return false;
}

std::vector<HeadRun> uniform_pieces(const AttentionProblem& problem, const HeadRun& run) {
  const std::int64_t group = problem.group();
  const bool whole_groups = run.first % group == 0 && run.count % group == 0;
  if (whole_groups || run.kv_count == 1) return {run};
  std::vector<HeadRun> pieces;
  for (std::int64_t kv = run.kv_first; kv < run.kv_first + run.kv_count; ++kv) {
    const std::int64_t first = std::max(run.first, kv * group);
    const std::int64_t end = std::min(run.first + run.count, (kv + 1) * group);
    pieces.push_back({first, end - first, kv, 1});
  }
  return pieces;
}

}  // namespace bench::attention
