// SPDX-License-Identifier: Apache-2.0
// What a device's decode kernels are told, and how blocks share it: some query heads of one key/value head against one span of a sequence's tokens.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/cuda/function.hpp"
#include "kernels/decode/decode.hpp"
#include "kernels/decode/paged_split.hpp"

namespace bench::decode {

/// q (B, H, D), caches (pages, page, Hkv, D), table (B, pages_each), lengths (B) -> out (B, H, D), lse (B, H). Sequences of more than one
/// span leave part_out (B, H, splits, D) and part_lse (B, H, splits), which merge turns into them.
struct PagedJob {
  const void *q, *k, *v;
  const std::int32_t *table, *lengths;
  void* out;
  float *lse, *part_out, *part_lse;
  int batch, heads, kv_heads, head_dim, pages_each, splits, span;
  int page_bits;  // a page has 2^page_bits tokens
  float scale_log2;

  BS_HOST_DEVICE int group() const { return heads / kv_heads; }
  /// Spans of a sequence: its own length decides, not the batch's longest. A sequence of none has one, which leaves an empty row's answer.
  BS_HOST_DEVICE int splits_of(int sequence) const {
    const int needed = (lengths[sequence] + span - 1) / span;
    return needed < 1 ? 1 : needed;
  }
};

/// The sizes of `problem`, cut by `plan`; a page must have 2^n tokens. Whoever has the tensors sets the pointers.
inline PagedJob paged_job(const DecodeProblem& problem, const SplitPlan& plan) {
  const auto small = [](std::int64_t n) { return static_cast<int>(n); };
  PagedJob job{};
  job.batch = small(problem.batch);
  job.heads = small(problem.heads);
  job.kv_heads = small(problem.kv_heads);
  job.head_dim = small(problem.head_dim);
  job.pages_each = small(problem.pages_each());
  job.splits = small(plan.splits);
  job.span = small(plan.span);
  job.page_bits = std::countr_zero(static_cast<std::uint64_t>(problem.page));
  job.scale_log2 = static_cast<float>(problem.scale() * attention::kLog2E);
  return job;
}

/// One block's part of a job, when a block takes up to `most_rows` heads of a group.
struct PagedPart {
  int sequence, kv_head, head, rows;  // heads head .. head + rows - 1
  int split, splits, begin, end;      // tokens begin .. end - 1, one of so many spans of the sequence

  static BS_HOST_DEVICE int chunks(int group, int most_rows) { return (group + most_rows - 1) / most_rows; }
  static BS_HOST_DEVICE int blocks(const PagedJob& job, int most_rows) {
    return job.batch * job.kv_heads * chunks(job.group(), most_rows) * job.splits;
  }

  BS_HOST_DEVICE PagedPart(const PagedJob& job, int block, int most_rows) {
    split = block % job.splits;
    block /= job.splits;
    const int chunk = block % chunks(job.group(), most_rows);
    block /= chunks(job.group(), most_rows);
    kv_head = block % job.kv_heads;
    sequence = block / job.kv_heads;
    head = kv_head * job.group() + chunk * most_rows;
    rows = job.group() - chunk * most_rows < most_rows ? job.group() - chunk * most_rows : most_rows;
    splits = job.splits_of(sequence);
    begin = split * job.span;
    end = begin + job.span < job.lengths[sequence] ? begin + job.span : job.lengths[sequence];
  }
  /// Nothing to read and nothing to leave.
  BS_HOST_DEVICE bool behind_the_end() const { return split >= splits; }
};

inline constexpr int kSmallestPage = 16;  // tokens: what a thread copies at a time lies in one page

inline constexpr float kNoScore = -INFINITY;
inline constexpr float kLn2 = static_cast<float>(attention::kLn2);

/// 2^(a - b), 0 where there was no score at all.
template <class M>
BS_DEVICE float weight_of(float a, float b) {
  return a == kNoScore ? 0.0F : M::exp2(a - b);
}

}  // namespace bench::decode
