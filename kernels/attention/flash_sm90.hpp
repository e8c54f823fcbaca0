// SPDX-License-Identifier: Apache-2.0
// One block's work of attention on Hopper (sm_90a): kConsumers warpgroups of 64 query rows each, and one that feeds them. The body only:
// flash_sm90_cuda.cu launches it, and a test runs it on the host.
//
// Algorithm: FlashAttention-3 (Shah et al. 2024), warp specialisation with or without its overlap of a block's softmax with the product of the
// one before (kOverlap): a producer thread has the copy engine
// bring Q once and K and V block by block into kStages places each; consumers multiply by wgmma, scores and output in registers, weights from
// registers. Every place has a barrier for "full" (bytes arrived) and one for "empty" (all consumer warps are done with it), whose parity tells
// the rounds apart. Blocks are taken from the last one to the first; only those at the ends of the visible range run masked code.
#pragma once

#include <cstdint>

#include "kernels/attention/device_job.hpp"
#include "kernels/attention/softmax_registers.hpp"
#include "kernels/cuda/tile_descriptor.hpp"

namespace bench::attention {

/// The tensors as the copy engine knows them: q (B H, L, D) in boxes of 64 rows, k and v (B Hkv, Lk, D) in boxes of kKeys, 64 columns each.
template <class M>
struct FlashSm90Job : DeviceJob {
  typename M::TensorMap q_map, k_map, v_map;
};

template <class M, class T, int kDim, int kConsumers, bool kOverlap>
class FlashSm90 {
 public:
  static constexpr int kKeys = 128, kStages = 2, kRows = 64 * kConsumers;
  static constexpr int kThreads = 128 * (kConsumers + 1);
  static constexpr int kSharedBytes = cuda::tile_bytes(kRows + 2 * kStages * kKeys, kDim) + 128;  // and the barriers

  static BS_HOST_DEVICE int blocks(const DeviceJob& job) { return job.row_blocks(kRows) * job.batch * job.heads; }

  BS_DEVICE explicit FlashSm90(const FlashSm90Job<M>& job)
      : job_(job), at_(job, M::block(), kRows), keys_(at_.mask, at_.row0, kRows, kKeys), shared_(M::shared()) {}

  BS_DEVICE void run() {
    if (M::thread() == 0) start_barriers();
    M::sync();
    if (M::thread() < 128) {
      M::template give_registers<kProducerRegisters>();
      if (M::thread() == 0) produce();
    } else {
      M::template take_registers<kConsumerRegisters>();
      consume();
    }
  }

 private:
  static constexpr int kPages = kDim / cuda::kPageColumns;
  static constexpr int kProducerRegisters = kConsumers == 2 ? 24 : 32, kConsumerRegisters = kConsumers == 2 ? 240 : 160;
  static constexpr int kTileBytes = cuda::tile_bytes(kKeys, kDim), kQueryBytes = cuda::tile_bytes(64, kDim);
  static constexpr int kConsumerWarps = 4 * kConsumers;
  enum Tensor : int { kK, kV };

  // Shared memory: Q (kConsumers tiles of 64 rows), then K and V (kStages tiles each), then barriers of 8 bytes.
  BS_DEVICE std::uint32_t query_tile(int consumer) const { return shared_ + consumer * kQueryBytes; }
  BS_DEVICE std::uint32_t tile(Tensor tensor, int stage) const { return shared_ + kConsumers * kQueryBytes + (tensor * kStages + stage) * kTileBytes; }
  BS_DEVICE std::uint32_t barrier(int i) const { return shared_ + kConsumers * kQueryBytes + 2 * kStages * kTileBytes + i * 8; }
  BS_DEVICE std::uint32_t queries_here() const { return barrier(0); }
  BS_DEVICE std::uint32_t full(Tensor tensor, int stage) const { return barrier(1 + tensor * kStages + stage); }
  BS_DEVICE std::uint32_t empty(Tensor tensor, int stage) const { return barrier(1 + (2 + tensor) * kStages + stage); }

  BS_DEVICE void start_barriers() const {
    M::start_barrier(queries_here(), 1);
    for (int stage = 0; stage < kStages; ++stage)
      for (const Tensor tensor : {kK, kV}) {
        M::start_barrier(full(tensor, stage), 1);
        M::start_barrier(empty(tensor, stage), kConsumerWarps);
      }
    M::publish_barriers();
  }

  /// Block number i from the last, into place i mod kStages, when all consumers have left it.
  BS_DEVICE void bring(Tensor tensor, const typename M::TensorMap& map, int i) const {
    const int stage = i % kStages, round = i / kStages;
    M::await(empty(tensor, stage), (round + 1) % 2);
    M::arrive_with_bytes(full(tensor, stage), kTileBytes);
    const int first = (keys_.end() - 1 - i) * kKeys;
    for (int page = 0; page < kPages; ++page)
      M::copy_box(tile(tensor, stage) + page * (kTileBytes / kPages), map, full(tensor, stage), page * cuda::kPageColumns, first, at_.kv_head);
  }

  BS_DEVICE void produce() const {
    if (keys_.end() <= keys_.begin()) return;
    M::arrive_with_bytes(queries_here(), kConsumers * kQueryBytes);
    for (int consumer = 0; consumer < kConsumers; ++consumer)
      for (int page = 0; page < kPages; ++page)
        M::copy_box(query_tile(consumer) + page * (kQueryBytes / kPages), job_.q_map, queries_here(), page * cuda::kPageColumns, at_.row0 + consumer * 64, at_.head);
    for (int i = 0; i < keys_.end() - keys_.begin(); ++i) {
      bring(kK, job_.k_map, i);
      bring(kV, job_.v_map, i);
    }
  }

  using Rows = SoftmaxRegisters<M, T, 1, kKeys, kDim>;
  using Weights = std::uint32_t[kKeys / 16][4];

  BS_DEVICE void consume() {
    const int consumer = M::thread() / 128 - 1, count = keys_.end() - keys_.begin();
    Rows rows;
    rows.clear(at_.row0 + consumer * 64 + M::thread() % 128 / 32 * 16);
    if (count > 0) {
      M::await(queries_here(), 0);
      if constexpr (kOverlap)
        attend_overlapped(rows, query_tile(consumer), count);
      else
        attend(rows, query_tile(consumer), count);
    }
    const std::int64_t before = static_cast<std::int64_t>(at_.head) * job_.seq;
    rows.finish(job_.scale_log2, job_.seq, job_.head_dim, static_cast<T*>(job_.out) + before * job_.head_dim, job_.lse + before);
  }

  /// One product after the other, each waited for.
  BS_DEVICE void attend(Rows& rows, std::uint32_t q, int count) {
    for (int i = 0; i < count; ++i) {
      start_scores(rows, q, i);
      M::template wait_products<0>();
      M::pin(rows.scores[0]);
      leave(kK, i);
      float shrink[1][2];
      soften(rows, i, shrink);
      rows.shrink_output(shrink);
      Weights p;
      pack(rows, p);
      start_output(rows, p, i);
      M::template wait_products<0>();
      M::pin(rows.out[0]);
      leave(kV, i);
    }
  }

  /// The next block's scores and softmax while this one's output is computed.
  BS_DEVICE void attend_overlapped(Rows& rows, std::uint32_t q, int count) {
    float shrink[1][2];
    Weights p;
    start_scores(rows, q, 0);
    M::template wait_products<0>();
    M::pin(rows.scores[0]);
    leave(kK, 0);
    soften(rows, 0, shrink);
    pack(rows, p);
    for (int i = 0; i + 1 < count; ++i) {
      start_scores(rows, q, i + 1);
      start_output(rows, p, i);
      M::template wait_products<1>();
      M::pin(rows.scores[0]);
      leave(kK, i + 1);
      soften(rows, i + 1, shrink);
      M::template wait_products<0>();
      M::pin(rows.out[0]);
      leave(kV, i);
      rows.shrink_output(shrink);
      pack(rows, p);
    }
    start_output(rows, p, count - 1);
    M::template wait_products<0>();
    M::pin(rows.out[0]);
    leave(kV, count - 1);
  }

  BS_DEVICE void soften(Rows& rows, int i, float (&shrink)[1][2]) const {
    const int block = keys_.end() - 1 - i;
    if (job_.cap > 0.0F) rows.cap(job_.cap);
    if (keys_.hides_some(block)) rows.hide(keys_.mask, block * kKeys);
    rows.soften(job_.scale_log2, shrink);
  }

  BS_DEVICE static void pack(const Rows& rows, Weights& p) {
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) rows.weights(0, n, p[n]);
  }

  /// Waits for block number i's keys and has its scores computed.
  BS_DEVICE void start_scores(Rows& rows, std::uint32_t q, int i) const {
    const std::uint32_t k = tile(kK, i % kStages);
    M::await(full(kK, i % kStages), i / kStages % 2);
    M::pin(rows.scores[0]);
    M::product_fence();
    BS_UNROLL
    for (int d = 0; d < kDim / 16; ++d)
      M::template product<T>(rows.scores[0], cuda::columns_descriptor(q, 64, 0, d), cuda::columns_descriptor(k, kKeys, 0, d), d > 0);
    M::commit_products();
  }

  /// Waits for block number i's values and has them added up with weights p.
  BS_DEVICE void start_output(Rows& rows, const Weights& p, int i) const {
    const std::uint32_t v = tile(kV, i % kStages);
    M::await(full(kV, i % kStages), i / kStages % 2);
    M::pin(rows.out[0]);
    M::product_fence();
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) M::template product<T>(rows.out[0], p[n], cuda::rows_descriptor(v, kKeys, n));
    M::commit_products();
  }

  /// Block number i's place is left by one lane a warp: a warp's part of a product reads all of it.
  BS_DEVICE void leave(Tensor tensor, int i) const {
    if (M::thread() % 32 == 0) M::arrive(empty(tensor, i % kStages));
  }

  const FlashSm90Job<M>& job_;
  BlockOfRows at_;
  KeyBlocks keys_;
  std::uint32_t shared_;
};

}  // namespace bench::attention
