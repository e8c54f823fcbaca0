// SPDX-License-Identifier: Apache-2.0
// Attention in three launches: S = Q K^T, P = softmax of S's rows (naive_softmax.hpp), O = P V. What the two products are told (kernels/cuda/gemm.hpp), and
// which of their tiles a mask leaves nothing in.
#pragma once

#include <cstdint>

#include "kernels/attention/device_job.hpp"
#include "kernels/cuda/gemm.hpp"

namespace bench::attention {

/// Elements of a row of scores or weights: rows begin at whole 16 bytes of either type.
inline std::int64_t score_pitch(std::int64_t seq) { return (seq + 7) / 8 * 8; }

struct NaiveJob {
  DeviceJob attention;
  float* scores;  // S (B, H, L, pitch), unscaled
  void* weights;  // P (B, H, L, pitch) in the tensors' type; in place of S in fp32
  int pitch;

  std::int64_t rows_step() const { return std::int64_t{attention.seq} * attention.head_dim; }
  std::int64_t scores_step() const { return std::int64_t{attention.seq} * pitch; }
};

inline cuda::GemmJob scores_product(const NaiveJob& job) {
  const DeviceJob& d = job.attention;
  return {.a = d.q,
          .b = d.k,
          .c = job.scores,
          .m = d.seq,
          .n = d.seq,
          .k = d.head_dim,
          .pitch_a = d.head_dim,
          .pitch_b = d.head_dim,
          .pitch_c = job.pitch,
          .step_a = job.rows_step(),
          .step_b = job.rows_step(),
          .step_c = job.scores_step(),
          .batch = d.batch * d.heads,
          .share = d.group};
}

inline cuda::GemmJob output_product(const NaiveJob& job) {
  const DeviceJob& d = job.attention;
  return {.a = job.weights,
          .b = d.v,
          .c = d.out,
          .m = d.seq,
          .n = d.head_dim,
          .k = d.seq,
          .pitch_a = job.pitch,
          .pitch_b = d.head_dim,
          .pitch_c = d.head_dim,
          .step_a = job.scores_step(),
          .step_b = job.rows_step(),
          .step_c = job.rows_step(),
          .batch = d.batch * d.heads,
          .share = d.group};
}

/// What rows of one query head see, heads counted over the batch.
BS_HOST_DEVICE RowMask mask_of_head(const DeviceJob& job, int head) {
  return {job.seq, job.key_lengths != nullptr ? job.key_lengths[head / job.heads] : job.seq, job.window, job.causal};
}

inline constexpr int kNaiveRows = 128;  // a tile's
inline constexpr int kNaiveKeys = 64;   // weights are written, and read, in whole ones of these: a step of the product

/// Of S the tiles in which some row sees some key.
struct VisibleScores {
  DeviceJob job;

  BS_HOST_DEVICE bool skips(const cuda::GemmPlace& at, int rows, int columns) const {
    const KeyBlocks keys(mask_of_head(job, at.item), at.row0, rows, columns);
    return at.column0 / columns < keys.begin() || at.column0 / columns >= keys.end();
  }
  BS_HOST_DEVICE cuda::GemmSteps steps(const cuda::GemmPlace&, int, int k) const { return {0, k}; }
};

/// Of P V the keys that some row of the tile sees.
struct VisibleWeights {
  DeviceJob job;

  BS_HOST_DEVICE bool skips(const cuda::GemmPlace&, int, int) const { return false; }
  BS_HOST_DEVICE cuda::GemmSteps steps(const cuda::GemmPlace& at, int rows, int k) const {
    const KeyBlocks keys(mask_of_head(job, at.item), at.row0, rows, kNaiveKeys);
    const int end = keys.end() * kNaiveKeys < k ? keys.end() * kNaiveKeys : k;
    return {keys.begin() * kNaiveKeys, end};
  }
};

}  // namespace bench::attention
