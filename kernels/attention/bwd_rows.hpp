// SPDX-License-Identifier: Apache-2.0
// What stands before and behind the main kernel of a backward pass, for a block of kRows rows of one head each. The bodies only, as in flash_mma.hpp.
//
// BwdRows: delta = rowsum(dO * O), the softmax sum in base 2, and scratch that is cleared, if the job has any. BwdQueries: dQ's sums out of the main
// kernel's order into rows, scaled and rounded.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::attention {

template <class M, class T, int kDim, int kRows>
class BwdRows {
 public:
  static constexpr int kThreads = 256;
  static BS_HOST_DEVICE int blocks(const DeviceJob& job) { return job.row_blocks(kRows) * job.batch * job.heads; }

  BS_DEVICE static void run(const BwdJob& job) {
    const int block = M::block(), head = block / job.row_blocks(kRows), row0 = block % job.row_blocks(kRows) * kRows;
    clear(job, block);
    BS_UNROLL
    for (int i = 0; i < kRows; i += kThreads / kLanes) {
      const int row = i + M::thread() / kLanes;
      const float delta = product(job, head, row0 + row);
      if (M::thread() % kLanes == 0) job.rows[static_cast<std::int64_t>(block) * kRows + row] = {lse_log2(job, head, row0 + row), delta};
    }
  }

 private:
  static constexpr int kLanes = kDim / cuda::kChunkElements;  // that share a row

  BS_DEVICE static void clear(const BwdJob& job, int block) {
    if (job.dq_sums == nullptr) return;
    struct alignas(16) Four {
      float x[4];
    };
    Four* const sums = reinterpret_cast<Four*>(job.dq_sums) + static_cast<std::int64_t>(block) * (kRows * kDim / 4);
    BS_UNROLL
    for (int i = 0; i < kRows * kDim / 4; i += kThreads) sums[i + M::thread()] = {};
    if (job.turns == nullptr) return;
    if (M::thread() < job.turn_parts) job.turns[static_cast<std::int64_t>(block) * job.turn_parts + M::thread()] = 0;
    if (block == 0 && M::thread() == 0) *job.tickets = 0;
  }

  /// rowsum(dO * O), in every lane of the row; 0 behind row L.
  BS_DEVICE static float product(const BwdJob& job, int head, int row) {
    const int column = M::thread() % kLanes * cuda::kChunkElements;
    float sum = 0.0F;
    if (row < job.seq && column < job.head_dim) {
      const std::int64_t at = (static_cast<std::int64_t>(head) * job.seq + row) * job.head_dim + column;
      const auto out = M::load16(static_cast<const T*>(job.out) + at), dout = M::load16(static_cast<const T*>(job.dout) + at);
      BS_UNROLL
      for (int i = 0; i < 4; ++i) {
        sum += M::template low<T>(out.word[i]) * M::template low<T>(dout.word[i]);
        sum += M::template high<T>(out.word[i]) * M::template high<T>(dout.word[i]);
      }
    }
    BS_UNROLL
    for (int lanes = kLanes / 2; lanes > 0; lanes /= 2) sum += M::shuffle_xor(sum, lanes);
    return sum;
  }

  BS_DEVICE static float lse_log2(const BwdJob& job, int head, int row) {
    if (row >= job.seq) return INFINITY;
    const float lse = job.lse[static_cast<std::int64_t>(head) * job.seq + row];
    return lse == -INFINITY ? INFINITY : lse * static_cast<float>(kLog2E);
  }
};

/// Slots says which element of a block of dQ register i of a thread was: kThreads, kFloats (registers a thread), row(thread, i), column(thread, i).
template <class M, class T, class Slots>
class BwdQueries {
 public:
  static constexpr int kThreads = Slots::kThreads;
  static BS_HOST_DEVICE int blocks(const DeviceJob& job) { return job.row_blocks(Slots::kRows) * job.batch * job.heads; }

  BS_DEVICE static void run(const BwdJob& job) {
    const int block = M::block(), head = block / job.row_blocks(Slots::kRows), row0 = block % job.row_blocks(Slots::kRows) * Slots::kRows;
    const float scale = job.scale_log2 * static_cast<float>(kLn2);
    const float* const sums = job.dq_sums + static_cast<std::int64_t>(block) * Slots::kThreads * Slots::kFloats;
    BS_UNROLL
    for (int i = 0; i < Slots::kFloats; i += 2) {
      const int row = row0 + Slots::row(M::thread(), i), column = Slots::column(M::thread(), i);
      const float low = sums[Slots::place(M::thread(), i)] * scale, high = sums[Slots::place(M::thread(), i + 1)] * scale;
      if (row >= job.seq || column >= job.head_dim) continue;
      T* const to = static_cast<T*>(job.dq) + (static_cast<std::int64_t>(head) * job.seq + row) * job.head_dim + column;
      *reinterpret_cast<std::uint32_t*>(to) = M::template pack<T>(low, high);
    }
  }
};

}  // namespace bench::attention
