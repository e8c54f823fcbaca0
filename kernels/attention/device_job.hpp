// SPDX-License-Identifier: Apache-2.0
// What a launch of a forward attention kernel on a device is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/key_blocks.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/cuda/function.hpp"

namespace bench::attention {

/// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D), lse (B, H, L); rows of whole 16 bytes. Whoever has the tensors sets the pointers.
struct DeviceJob {
  const void *q, *k, *v;
  void* out;
  float* lse;
  const std::int32_t* key_lengths;  // (B), or null: all Lk
  const std::int32_t* bounds;       // (L, 2) as RowMask has it, or null
  int batch, heads, group, seq, kv_seq, head_dim, window;
  bool causal;
  float scale_log2;  // log2(e) / sqrt(D)
  float cap;         // c sqrt(D), of raw scores; 0: none

  BS_HOST_DEVICE RowMask mask_of(int sequence) const {
    return {seq, key_lengths != nullptr ? key_lengths[sequence] : kv_seq, window, causal, kv_seq - seq, bounds};
  }
  BS_HOST_DEVICE int row_blocks(int rows) const { return (seq + rows - 1) / rows; }
};

inline DeviceJob device_job(const AttentionProblem& p) {
  const auto small = [](std::int64_t n) { return static_cast<int>(n); };
  DeviceJob job{};
  job.batch = small(p.batch);
  job.heads = small(p.heads);
  job.group = small(p.group());
  job.seq = small(p.seq);
  job.head_dim = small(p.head_dim);
  job.kv_seq = small(p.kv_length());
  job.window = small(std::min(p.window, p.seq + p.kv_length()));  // a longer one hides nothing, either
  job.causal = p.causal;
  job.scale_log2 = static_cast<float>(p.scale() * kLog2E);
  job.cap = static_cast<float>(static_cast<double>(p.softcap) / p.scale());
  return job;
}

/// What DeviceJob::key_lengths and bounds point to; nothing where the problem has none.
inline std::vector<std::int32_t> key_lengths_of(const AttentionProblem& p) { return {p.key_lengths.begin(), p.key_lengths.end()}; }
inline std::vector<std::int32_t> bounds_of(const AttentionProblem& p) {
  std::vector<std::int32_t> bounds;
  for (std::int64_t i = 0; i < p.seq && !p.starts.empty(); ++i) {
    const KeyRange own = p.sequence_at(i);
    bounds.push_back(static_cast<std::int32_t>(own.first));
    bounds.push_back(static_cast<std::int32_t>(own.end));
  }
  return bounds;
}

/// One block's piece: kRows rows of one head. Blocks with the most keys to see come first, so that causal ones end together.
struct BlockOfRows {
  int sequence, head, kv_head, row0;  // heads over batch and heads
  RowMask mask;

  BlockOfRows() = default;
  BS_DEVICE BlockOfRows(const DeviceJob& job, int block, int rows)
      : BlockOfRows(job, block % (job.batch * job.heads), job.row_blocks(rows) - 1 - block / (job.batch * job.heads), rows) {}
  BS_DEVICE BlockOfRows(const DeviceJob& job, int of_head, int row_block, int rows) : sequence(of_head / job.heads), head(of_head), row0(row_block * rows) {
    kv_head = sequence * (job.heads / job.group) + head % job.heads / job.group;
    mask = job.mask_of(sequence);
  }
};

}  // namespace bench::attention
