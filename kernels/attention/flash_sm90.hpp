// SPDX-License-Identifier: Apache-2.0
// One block's work of attention on Hopper (sm_90a): warpgroups of 64 query rows each, and one that feeds them. The body only:
// flash_sm90_launch.cuh launches it, and a test runs it on the host. What a rung adds, and which kernel is which: flash_sm90_shape.hpp.
//
// Algorithm: FlashAttention-3 (Shah et al. 2024), warp specialisation: a producer thread has the copy engine
// bring Q once a tile and K and V block by block into kStages places each; consumers multiply by wgmma, scores and output in registers, weights from
// registers. Every place has a barrier for "full" (bytes arrived) and one for "empty" (all consumer warps are done with it), whose parity tells
// the rounds apart, over all tiles of the block. Blocks are taken from the last one to the first; only those at the ends of the visible range run
// masked code.
#pragma once

#include <cstdint>

#include "kernels/attention/flash_sm90_tiles.hpp"
#include "kernels/attention/softmax_registers.hpp"
#include "kernels/cuda/tile_descriptor.hpp"

namespace bench::attention {

template <class M, class T, FlashSm90Shape kShape, FlashSm90Rung kRung>
class FlashSm90 : FlashSm90Tiles<M, kShape, kRung> {
  using Tiles = FlashSm90Tiles<M, kShape, kRung>;

 public:
  static constexpr int kDim = kShape.dim, kKeys = kShape.keys, kConsumers = kShape.consumers, kRows = kShape.rows();
  static constexpr int kThreads = 128 * (kConsumers + 1);
  static constexpr int kSharedBytes = FlashSm90Memory<kShape>::kBytes;

  static BS_HOST_DEVICE int blocks(const FlashSm90Job<M>& job, int multiprocessors) {
    return kRung.persistent && multiprocessors < job.order.tiles() ? multiprocessors : job.order.tiles();
  }

  BS_DEVICE explicit FlashSm90(const FlashSm90Job<M>& job) : Tiles(job) {}

  BS_DEVICE void run() {
    if (M::thread() == 0) memory_.template start_barriers<M>(kRung.tma_store ? kConsumers : kConsumerWarps);
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
  using Memory = FlashSm90Memory<kShape>;
  using Tiles::aim, Tiles::any_tile, Tiles::at_, Tiles::count_, Tiles::deal, Tiles::dealt, Tiles::dynamic, Tiles::end_, Tiles::go_to, Tiles::job_, Tiles::keys_,
      Tiles::memory_, Tiles::round, Tiles::stage, Tiles::tiles_;
  using Tensor = typename Memory::Tensor;
  static constexpr Tensor kK = Memory::kK, kV = Memory::kV;
  static constexpr int kPages = Memory::kPages;
  static constexpr int kProducerRegisters = kConsumers == 2 ? 24 : 32, kConsumerRegisters = kConsumers == 2 ? 240 : 160;
  static constexpr int kConsumerWarps = 4 * kConsumers;
  static constexpr bool kTurns = kRung.pingpong && kDim <= 128;  // beyond, a warpgroup's own products cover its softmax
  static constexpr bool kShrinkFirst = kDim > 128;               // so much output is shrunk under the product of the scores
  static_assert(!kTurns || kConsumers == 2);
  enum Meeting : int { kFirstTurn = 1, kFirstStore = 3 };  // barriers with numbers; one for each consumer

  /// Block number i into its place, when all consumers have left that.
  BS_DEVICE void bring(Tensor tensor, const typename M::TensorMap& map, int i) const {
    M::await(memory_.empty(tensor, stage(i)), (round(i) + 1) % 2);
    M::arrive_with_bytes(memory_.full(tensor, stage(i)), Memory::kTileBytes);
    const int first = (end_ - 1 - i) * kKeys;
    for (int page = 0; page < kPages; ++page)
      M::copy_box(memory_.tile(tensor, stage(i)) + page * (Memory::kTileBytes / kPages), map, memory_.full(tensor, stage(i)), page * cuda::kPageColumns, first, at_.kv_head);
  }
  /// For a tile without keys nothing but the sign that their place is free.
  BS_DEVICE void bring_queries() const {
    if constexpr (kRung.persistent) M::await(memory_.queries_left(), (tiles_ + 1) % 2);
    if (count_ == 0) return M::arrive(memory_.queries_here());
    M::arrive_with_bytes(memory_.queries_here(), kConsumers * Memory::kQueryBytes);
    for (int consumer = 0; consumer < kConsumers; ++consumer)
      for (int page = 0; page < kPages; ++page)
        M::copy_box(memory_.queries(consumer) + page * (Memory::kQueryBytes / kPages), job_.q_map, memory_.queries_here(), page * cuda::kPageColumns,
                    at_.row0 + consumer * 64, at_.head);
  }

  /// Keys run ahead of values by as much as the consumers take them so.
  BS_DEVICE void produce() {
    for (aim(M::block()); any_tile();) {
      if (count_ > 0) bring(kK, job_.k_map, 0);
      bring_queries();
      BS_NO_UNROLL  // the feeding warpgroup has few registers
      for (int i = 1; i < count_; ++i) {
        if (!kRung.overlap) bring(kV, job_.v_map, i - 1);
        bring(kK, job_.k_map, i);
        if (kRung.overlap) bring(kV, job_.v_map, i - 1);
      }
      const int next = deal();
      if (count_ > 0) bring(kV, job_.v_map, count_ - 1);
      if (dynamic()) {
        M::await(memory_.tile_taken(), (tiles_ + 1) % 2);
        M::store_word(memory_.next_tile(), static_cast<std::uint32_t>(next));
        M::arrive(memory_.tile_here());
      }
      go_to(next);
    }
  }

  using Rows = SoftmaxRegisters<M, T, 1, kKeys, kDim>;
  using Weights = std::uint32_t[kKeys / 16][4];

  BS_DEVICE std::uint32_t queries() const { return memory_.queries(consumer_); }

  BS_DEVICE void consume() {
    consumer_ = M::of_warp(M::thread() / 128 - 1);
    Rows rows;
    if (consumer_ == 1) pass_turn();  // the first one is consumer 0's
    for (aim(M::block()); any_tile(); go_to(dealt())) {
      rows.clear(at_.row0 + consumer_ * 64 + M::thread() % 128 / 32 * 16);
      M::await(memory_.queries_here(), tiles_ % 2);
      if (count_ == 0)
        leave_queries();
      else if constexpr (kRung.overlap)
        attend_overlapped(rows);
      else
        attend(rows);
      if constexpr (kRung.tma_store)
        store(rows);
      else
        finish(rows);
    }
    if (consumer_ == 0) take_turn();  // what consumer 1 passed last
  }

  /// One product after the other, each waited for.
  BS_DEVICE void attend(Rows& rows) {
    for (int i = 0; i < count_; ++i) {
      start_scores(rows, i);
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
    leave_queries();
  }

  /// The next block's scores and softmax while this one's output is computed. Both consumers take as many turns: they look at the same blocks.
  BS_DEVICE void attend_overlapped(Rows& rows) {
    float shrink[1][2];
    Weights p;
    const int last = count_ - 1;
    start_scores(rows, 0);
    pass_turn();
    M::template wait_products<0>();
    M::pin(rows.scores[0]);
    leave(kK, 0);
    soften(rows, 0, shrink);
    pack(rows, p);
    for (int i = 0; i < last; ++i) {
      start_scores(rows, i + 1);
      if constexpr (kShrinkFirst) rows.shrink_output(shrink);
      start_output(rows, p, i);
      pass_turn();
      M::template wait_products<1>();
      M::pin(rows.scores[0]);
      leave(kK, i + 1);
      soften(rows, i + 1, shrink);
      M::pin(rows.scores[0]);  // weights are computed before the wait: nvcc is told so, and ptxas
      M::before_what_follows(rows.sum[0][0] + rows.sum[0][1]);
      M::template wait_products<0>();
      M::pin(rows.out[0]);
      leave(kV, i);
      if constexpr (!kShrinkFirst) rows.shrink_output(shrink);
      pack(rows, p);
    }
    leave_queries();
    if constexpr (kShrinkFirst) rows.shrink_output(shrink);
    start_output(rows, p, last);
    M::template wait_products<0>();
    M::pin(rows.out[0]);
    leave(kV, last);
  }

  BS_DEVICE void soften(Rows& rows, int i, float (&shrink)[1][2]) const {
    const int block = end_ - 1 - i;
    if constexpr (kShape.knows_all())
      if (job_.cap > 0.0F) rows.cap(job_.cap);
    if (keys_.hides_some(block)) rows.hide(keys_.mask, block * kKeys);
    rows.soften(job_.scale_log2, shrink);
  }

  BS_DEVICE static void pack(const Rows& rows, Weights& p) {
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) rows.weights(0, n, p[n]);
  }

  /// Waits for block number i's keys, and for its turn, and has the scores computed.
  BS_DEVICE void start_scores(Rows& rows, int i) const {
    const std::uint32_t q = queries(), k = memory_.tile(kK, stage(i));
    M::await(memory_.full(kK, stage(i)), round(i) % 2);
    take_turn();
    M::pin(rows.scores[0]);
    M::product_fence();
    BS_UNROLL
    for (int d = 0; d < kDim / 16; ++d)
      M::template product<T>(rows.scores[0], cuda::columns_descriptor(q, 64, 0, d), cuda::columns_descriptor(k, kKeys, 0, d), d > 0);
    M::commit_products();
  }

  /// Waits for block number i's values and has them added up with weights p.
  BS_DEVICE void start_output(Rows& rows, const Weights& p, int i) const {
    const std::uint32_t v = memory_.tile(kV, stage(i));
    M::await(memory_.full(kV, stage(i)), round(i) % 2);
    M::pin(rows.out[0]);
    M::product_fence();
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n) M::template product<T>(rows.out[0], p[n], cuda::rows_descriptor(v, kKeys, n));
    M::commit_products();
  }

  /// Block number i's place is left by one lane a warp: a warp's part of a product reads all of it.
  BS_DEVICE void leave(Tensor tensor, int i) const {
    if (M::thread() % 32 == 0) M::arrive(memory_.empty(tensor, stage(i)));
  }
  /// Unless the output is going to lie where the queries do.
  BS_DEVICE void leave_queries() const {
    if (kRung.persistent && !kRung.tma_store && M::thread() % 32 == 0) M::arrive(memory_.queries_left());
  }

  BS_DEVICE void take_turn() const {
    if constexpr (kTurns) M::meet(kFirstTurn + consumer_, 256);
  }
  BS_DEVICE void pass_turn() const {
    if constexpr (kTurns) M::signal(kFirstTurn + 1 - consumer_, 256);
  }

  BS_DEVICE void finish(const Rows& rows) const {
    const std::int64_t before = static_cast<std::int64_t>(at_.head) * job_.seq;
    rows.finish(job_.scale_log2, job_.seq, job_.head_dim, static_cast<T*>(job_.out) + before * job_.head_dim, job_.lse + before);
  }

  /// The output to where this warpgroup's queries were, and from there one thread has it stored; then the place is left.
  BS_DEVICE void store(const Rows& rows) const {
    rows.finish_in_tile(job_.scale_log2, job_.seq, queries(), job_.lse + static_cast<std::int64_t>(at_.head) * job_.seq);
    M::publish_writes();
    M::meet(kFirstStore + consumer_, 128);
    if (M::thread() % 128 != 0) return;
    for (int page = 0; page < kPages; ++page)
      M::store_box(job_.out_map, queries() + page * (Memory::kQueryBytes / kPages), page * cuda::kPageColumns, at_.row0 + consumer_ * 64, at_.head);
    M::commit_stores();
    M::wait_stores_read();
    M::arrive(memory_.queries_left());
  }

  int consumer_;  // which one this thread is of
};

}  // namespace bench::attention
