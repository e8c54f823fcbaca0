// SPDX-License-Identifier: Apache-2.0
// One block's work of attention on tensor cores of sm_80 and later (mma.sync), for 128 threads: kRows query rows of one head against
// all keys they see. The body only: flash_mma_launch.cuh launches it, and a test runs it on the host.
//
// Algorithm: FlashAttention-2 (Dao 2023). Each of four warps owns kRows / 4 rows and all keys, so that a row's softmax needs the four
// lanes of a quad and no shared memory. Keys and values come in blocks of kKeys, by asynchronous copies: V flies while the scores are
// computed, the next K while P V is. Blocks are taken from the last one to the first: only those at the ends of the visible range run
// masked code. Weights go from the accumulators of Q K^T straight into the operand of P V. Softmax in base 2.
//
// Shared memory: Q, K and V tiles, swizzled (kernels/cuda/swizzle.hpp). Head dimensions below kDim are filled up with zeros.
#pragma once

#include <cstdint>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/softmax_products.hpp"
#include "kernels/attention/softmax_registers.hpp"
#include "kernels/cuda/swizzle.hpp"
#include "kernels/cuda/tile_fetch.hpp"

namespace bench::attention {

template <class M, class T, int kDim, int kRows, int kKeys>
class FlashMma {
 public:
  using Job = DeviceJob;
  static constexpr int kThreads = 128;
  static constexpr int kSharedBytes = cuda::tile_bytes(kRows + 2 * kKeys, kDim);

  static BS_HOST_DEVICE int blocks(const DeviceJob& job) { return job.row_blocks(kRows) * job.batch * job.heads; }

  BS_DEVICE explicit FlashMma(const DeviceJob& job)
      : job_(job),
        at_(job, M::block(), kRows),
        q_(M::shared()),
        k_(q_ + cuda::tile_bytes(kRows, kDim)),
        v_(k_ + cuda::tile_bytes(kKeys, kDim)) {}

  BS_DEVICE void run() {
    const KeyBlocks keys(at_.mask, at_.row0, kRows, kKeys);
    clear();
    if (keys.end() > keys.begin()) attend(keys);
    finish();
  }

 protected:
  static constexpr int kTiles = kRows / 64;  // of 16 rows, a warp

  BS_DEVICE void clear() { rows_.clear(at_.row0 + M::thread() / 32 * kTiles * 16); }
  BS_DEVICE void finish() const {
    const std::int64_t before = static_cast<std::int64_t>(at_.head) * job_.seq;
    rows_.finish(job_.scale_log2, job_.seq, job_.head_dim, static_cast<T*>(job_.out) + before * job_.head_dim, job_.lse + before);
  }

  /// Asks for rows first .. first + kCount - 1 of a head's `tensor`.
  template <int kCount>
  BS_DEVICE void fetch(std::uint32_t to, const void* tensor, int length, int head, int first) const {
    const T* const from = static_cast<const T*>(tensor) + (static_cast<std::int64_t>(head) * length + first) * job_.head_dim;
    cuda::TileFetch<M, T, kThreads, kDim>::template rows<kCount>(to, from, job_.head_dim, length - first);
    M::commit();
  }

  BS_DEVICE void attend(const KeyBlocks& keys) {
    fetch<kRows>(q_, job_.q, job_.seq, at_.head, at_.row0);
    fetch<kKeys>(k_, job_.k, job_.kv_seq, at_.kv_head, (keys.end() - 1) * kKeys);
    for (int block = keys.end() - 1; block >= keys.begin(); --block) {
      M::template wait<0>();
      M::sync();  // K is here for all, and nobody reads the old V
      fetch<kKeys>(v_, job_.v, job_.kv_seq, at_.kv_head, block * kKeys);
      score(rows_, SharedRows{q_, kRows, M::thread() / 32 * kTiles * 16}, SharedRows{k_, kKeys, 0});
      M::template wait<0>();
      M::sync();  // V is here for all, and nobody reads this K
      if (block > keys.begin()) fetch<kKeys>(k_, job_.k, job_.kv_seq, at_.kv_head, (block - 1) * kKeys);
      if (job_.cap > 0.0F) rows_.cap(job_.cap);
      if (keys.hides_some(block)) rows_.hide(keys.mask, block * kKeys);
      float shrink[kTiles][2];
      rows_.soften(job_.scale_log2, shrink);
      rows_.shrink_output(shrink);
      weigh(rows_, SharedRows{v_, kKeys, 0});
    }
  }

  DeviceJob job_;
  BlockOfRows at_;
  std::uint32_t q_, k_, v_;
  SoftmaxRegisters<M, T, kTiles, kKeys, kDim> rows_;
};

}  // namespace bench::attention
