// SPDX-License-Identifier: Apache-2.0
// One block's work of attention's backward pass on Hopper (sm_90a): two warpgroups of 64 keys each against all rows of their key/value head's query heads,
// and one that feeds them. The body only: flash_bwd_sm90_cuda.cu launches it, and a test runs it on the host.
//
// Algorithm: FlashAttention-3's backward pass (Shah et al. 2024), as far as it is: scores are computed transposed, S^T = K Q^T and dP^T = V dO^T, so that P^T
// and dS^T go from the accumulators straight into the left operand of dV += P^T dO and dK += dS^T Q. Only dQ = dS K sums over both warpgroups' keys: dS^T goes
// through shared memory, as it lies, and both operands of that product are read transposed. Each warpgroup has half of dQ: half of the columns
// of 64 rows, or 64 of 128 rows.
// dP^T is computed under the exponentials, dV under dS, dK under the way of dQ out: each warp puts its part of dQ into shared memory, from where the copy
// engine adds it to fp32 sums in global memory.
//
// A producer thread has the copy engine bring K and V once, and Q, dO and their rows' numbers round by round into kStages places each, with a barrier for "full"
// and one for "empty" as in flash_sm90.hpp. dS^T has two places: who meets the other warpgroup behind a round's dS^T has done with dQ's product of the round
// before.
//
// kOrdered: each warp's part of a block of dQ is added behind those of all key blocks before this one, by turns and tickets as in flash_bwd_mma.hpp.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/attention/bwd_sm90_places.hpp"
#include "kernels/attention/softcap.hpp"
#include "kernels/cuda/tile_descriptor.hpp"

namespace bench::attention {

template <class M, class T, int kDim, int kRowsOfBlock, bool kOrdered>
class FlashBwdSm90 {
 public:
  static constexpr int kConsumers = 2, kThreads = 128 * (kConsumers + 1), kKeys = 64 * kConsumers, kRows = kRowsOfBlock, kColumns = kDim, kStages = 2;
  static constexpr int kTurnParts = kOrdered ? 4 * kConsumers : 0;  // a warp's part each
  static_assert(kRows * kDim == 64 * 128, "a warpgroup's half of dQ is 64 x 64");
  using Places = BwdSm90Places<M, kDim, kRows, kKeys, kStages, 4 * kConsumers>;
  static constexpr int kSharedBytes = Places::kBytes;

  static BS_HOST_DEVICE int blocks(const BwdJob& job) { return job.key_blocks(kKeys) * (job.batch * job.heads / job.group); }

  BS_DEVICE explicit FlashBwdSm90(const FlashBwdSm90Job<M>& job) : job_(job), places_{M::shared()}, at_(job, place()) {
    const RowBlocks rows{at_.mask, kRows, kKeys, job.row_blocks(kRows)};
    first_ = rows.begin(at_.key_block);
    count_ = rows.end(at_.key_block) - first_;
    if (count_ < 0) count_ = 0;
  }

  BS_DEVICE void run() {
    if (M::thread() == 0) places_.start_barriers();
    M::sync();
    if (M::thread() < 128) {
      M::template give_registers<24>();
      if (M::thread() == 0 && count_ > 0) produce();
    } else {
      M::template take_registers<240>();
      consume();
    }
  }

  /// Which element of a block of dQ register i of a consumer thread is, and its place in global memory: a warp's in one piece.
  struct Slots {
    static constexpr int kThreads = 128 * kConsumers, kRows = FlashBwdSm90::kRows, kFloats = 32;
    BS_DEVICE static int row(int thread, int i) { return (kRows > 64 ? thread / 128 * 64 : 0) + thread % 128 / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8; }
    BS_DEVICE static int column(int thread, int i) { return (kRows > 64 ? 0 : thread / 128 * 64) + i / 4 * 8 + thread % 4 * 2 + i % 2; }
    BS_DEVICE static int place(int thread, int i) { return ((thread / 32 * (kFloats / 4) + i / 4) * 32 + thread % 32) * 4 + i % 4; }
  };

 private:
  static constexpr int kPages = kDim / cuda::kPageColumns;
  using Tensor = typename Places::Tensor;
  static constexpr Tensor kQ = Places::kQ, kDout = Places::kDout;
  using Scores = float[kRows / 2];
  using Weights = std::uint32_t[kRows / 16][4];

  /// Which block this is: in the order of starting, if that matters.
  BS_DEVICE int place() const {
    if constexpr (!kOrdered) return M::block();
    if (M::thread() == 0) M::store_word(places_.ticket(), static_cast<std::uint32_t>(M::take_ticket(job_.tickets)));
    M::sync();
    return static_cast<int>(M::load_word(places_.ticket()));
  }

  BS_DEVICE int head(int round) const { return at_.first_head + round / count_; }
  BS_DEVICE int row0(int round) const { return (first_ + round % count_) * kRows; }
  /// Of this round's block of rows among all heads'.
  BS_DEVICE std::int64_t block_of_rows(int round) const { return static_cast<std::int64_t>(head(round)) * job_.row_blocks(kRows) + first_ + round % count_; }

  BS_DEVICE static void copy_pages(std::uint32_t to, const typename M::TensorMap& map, std::uint32_t barrier, int page_bytes, int row, int head) {
    for (int page = 0; page < kPages; ++page) M::copy_box(to + page * page_bytes, map, barrier, page * cuda::kPageColumns, row, head);
  }

  /// This round's place of a tensor, when all consumers have left it: the barrier that the copies count on.
  BS_DEVICE std::uint32_t claim(Tensor tensor, int round, int bytes) const {
    const int stage = round % kStages;
    M::await(places_.empty(tensor, stage), (round / kStages + 1) % 2);
    M::arrive_with_bytes(places_.full(tensor, stage), bytes);
    return places_.full(tensor, stage);
  }

  BS_DEVICE void produce() const {
    M::arrive_with_bytes(places_.keys_here(), 2 * Places::kKeyBytes);
    copy_pages(places_.k(), job_.k_map, places_.keys_here(), Places::kKeyBytes / kPages, at_.key_block * kKeys, at_.kv_head);
    copy_pages(places_.v(), job_.v_map, places_.keys_here(), Places::kKeyBytes / kPages, at_.key_block * kKeys, at_.kv_head);
    for (int round = 0; round < count_ * job_.group; ++round) {
      const int stage = round % kStages;
      const std::uint32_t q_full = claim(kQ, round, Places::kRowBytes + Places::kNumberBytes);
      copy_pages(places_.tile(kQ, stage), job_.q_map, q_full, Places::kRowBytes / kPages, row0(round), head(round));
      M::copy_bytes(places_.numbers(stage), job_.rows + block_of_rows(round) * kRows, Places::kNumberBytes, q_full);
      copy_pages(places_.tile(kDout, stage), job_.dout_map, claim(kDout, round, Places::kRowBytes), Places::kRowBytes / kPages, row0(round), head(round));
    }
  }

  BS_DEVICE static int warp() { return M::thread() / 32 - 4; }  // of the consumers'
  BS_DEVICE static int consumer() { return M::thread() / 128 - 1; }
  BS_DEVICE static int lane() { return M::thread() % 32; }
  /// Of the block's keys: that of a lane's accumulators in the upper half of its warp's 16.
  BS_DEVICE static int key() { return consumer() * 64 + M::thread() % 128 / 32 * 16 + lane() / 4; }
  /// Of a block's rows: that of the first of a lane's accumulators in columns 8 n .. 8 n + 7.
  BS_DEVICE static int row(int n) { return n * 8 + lane() % 4 * 2; }

  BS_DEVICE void consume() const {
    float dk[kDim / 2], dv[kDim / 2];
    BS_UNROLL
    for (int i = 0; i < kDim / 2; ++i) dk[i] = dv[i] = 0.0F;
    if (count_ > 0) {
      M::await(places_.keys_here(), 0);
      for (int round = 0; round < count_ * job_.group; ++round) step(round, dk, dv);
      if (lane() == 0) leave_queries(count_ * job_.group - 1);
    }
    store(static_cast<T*>(job_.dk), dk, job_.scale_log2 * static_cast<float>(kLn2));
    store(static_cast<T*>(job_.dv), dv, 1.0F);
  }

  BS_DEVICE void step(int round, float (&dk)[kDim / 2], float (&dv)[kDim / 2]) const {
    const int stage = round % kStages, parity = round / kStages % 2;
    Scores s, dp;
    Weights p, ds_of;
    M::await(places_.full(kQ, stage), parity);
    start_scores(s, places_.k(), places_.tile(kQ, stage));
    M::await(places_.full(kDout, stage), parity);
    start_scores(dp, places_.v(), places_.tile(kDout, stage));
    M::template wait_products<1>();
    M::pin(s);
    if (job_.cap > 0.0F) cap(s);
    if (KeyBlocks(at_.mask, row0(round), kRows, kKeys).hides_some(at_.key_block)) hide(s, row0(round));
    if (job_.cap > 0.0F)
      soften<true>(s, p, stage);
    else
      soften<false>(s, p, stage);
    start_gradient(dv, p, places_.tile(kDout, stage));
    M::template wait_products<1>();
    M::pin(dp);
    through_softmax(s, dp, ds_of, stage);
    hand_over(ds_of, round);
    float mine[Slots::kFloats];
    start_queries(mine, round);
    start_gradient(dk, ds_of, places_.tile(kQ, stage));
    M::template wait_products<1>();
    M::pin(dv);
    M::pin(mine);
    leave(kDout, stage);
    add_queries(mine, round);
    M::template wait_products<0>();
    M::pin(dk);
    leave(kQ, stage);
  }

  /// scores^T = keys rows^T over D, of this warpgroup's 64 keys.
  BS_DEVICE static void start_scores(Scores& scores, std::uint32_t keys, std::uint32_t rows) {
    M::pin(scores);
    M::product_fence();
    BS_UNROLL
    for (int d = 0; d < kDim / 16; ++d)
      M::template product<T>(scores, cuda::columns_descriptor(keys, kKeys, consumer() * 64, d), cuda::columns_descriptor(rows, kRows, 0, d), d > 0);
    M::commit_products();
  }

  /// sums += weights^T rows, over a block's rows.
  BS_DEVICE static void start_gradient(float (&sums)[kDim / 2], const Weights& weights, std::uint32_t rows) {
    M::pin(sums);
    M::product_fence();
    BS_UNROLL
    for (int n = 0; n < kRows / 16; ++n) M::template product<T>(sums, weights[n], cuda::rows_descriptor(rows, kRows, n));
    M::commit_products();
  }

  /// This warpgroup's half of dS K, over the block's keys.
  BS_DEVICE void start_queries(float (&sums)[Slots::kFloats], int round) const {
    constexpr int kPageBytes = kKeys * cuda::kPageChunks * cuda::kChunkBytes;
    const std::uint32_t rows = places_.ds(round) + (kRows > 64 ? consumer() * kPageBytes : 0), columns = places_.k() + (kRows > 64 ? 0 : consumer() * kPageBytes);
    M::pin(sums);
    M::product_fence();
    BS_UNROLL
    for (int n = 0; n < kKeys / 16; ++n)
      M::template product_transposed<T>(sums, cuda::rows_descriptor(rows, kKeys, n), cuda::rows_descriptor(columns, kKeys, n), n > 0);
    M::commit_products();
  }

  BS_DEVICE void cap(Scores& s) const {
    BS_UNROLL
    for (int i = 0; i < kRows / 2; ++i) s[i] = capped<M>(s[i], job_.cap);
  }

  /// Minus infinity where a row does not see a key.
  BS_DEVICE void hide(Scores& s, int row0) const {
    const int mine = at_.key_block * kKeys + key();
    BS_UNROLL
    for (int i = 0; i < kRows / 2; ++i) {
      const int at = row0 + row(i / 4) + i % 2, seen = mine + i % 4 / 2 * 8;
      if (seen < at_.mask.first(at) || seen >= at_.mask.end(at)) s[i] = -INFINITY;
    }
  }

  /// Scores become weights p, rounded, as the left operand of a product. What stays is what (dP - delta) is to be multiplied by.
  template <bool kCapped>
  BS_DEVICE void soften(Scores& s, Weights& p, int stage) const {
    BS_UNROLL
    for (int i = 0; i < kRows / 2; i += 4) {
      float of[4];  // lse and delta of two rows
      M::load_floats(of, places_.numbers(stage) + row(i / 4) * static_cast<int>(sizeof(RowNumbers)));
      BS_UNROLL
      for (int j = i; j < i + 4; j += 2) {
        const float slope[2] = {slope_of<kCapped>(s[j]), slope_of<kCapped>(s[j + 1])};
        const float low = M::exp2(s[j] * job_.scale_log2 - of[0]), high = M::exp2(s[j + 1] * job_.scale_log2 - of[2]);
        p[j / 8][j / 2 % 4] = M::template pack<T>(low, high);
        s[j] = low * slope[0];
        s[j + 1] = high * slope[1];
      }
    }
  }
  template <bool kCapped>
  BS_DEVICE float slope_of(float score) const {
    if constexpr (kCapped) return cap_slope<M>(score, job_.cap);
    return 1.0F;
  }

  /// dS = weights (dP - delta), as the left operand of a product.
  BS_DEVICE void through_softmax(const Scores& weights, const Scores& dp, Weights& ds_of, int stage) const {
    BS_UNROLL
    for (int i = 0; i < kRows / 2; i += 4) {
      float of[4];
      M::load_floats(of, places_.numbers(stage) + row(i / 4) * static_cast<int>(sizeof(RowNumbers)));
      BS_UNROLL
      for (int j = i; j < i + 4; j += 2)
        ds_of[j / 8][j / 2 % 4] = M::template pack<T>(weights[j] * (dp[j] - of[1]), weights[j + 1] * (dp[j + 1] - of[3]));
    }
  }

  /// dS^T into shared memory, and meets the other warpgroup there.
  BS_DEVICE void hand_over(const Weights& ds_of, int round) const {
    const std::uint32_t at = places_.ds(round) + cuda::swizzled(key(), 0, kKeys) + lane() % 4 * 4;
    BS_UNROLL
    for (int i = 0; i < kRows / 4; ++i)
      M::store_word(cuda::moved_by_chunks(at, i / 2, kKeys) + i % 2 * 8 * cuda::kPageChunks * cuda::kChunkBytes, ds_of[i / 4][i % 4]);
    M::publish_writes();
    M::meet(1, 128 * kConsumers);
  }

  /// This warp's part of dQ to global memory, by way of its own place in shared memory.
  BS_DEVICE void add_queries(const float (&sums)[Slots::kFloats], int round) const {
    const std::uint32_t place = places_.dq(warp());
    if (lane() == 0 && round > 0) leave_queries(round - 1);
    M::sync_warp();
    BS_UNROLL
    for (int i = 0; i < Slots::kFloats; i += 4) M::store_floats(place + (i * 32 + lane() * 4) * 4, &sums[i]);
    M::publish_writes();
    M::sync_warp();
    if (lane() > 0) return;
    if constexpr (kOrdered) M::await_turn(turn(round), at_.key_block - KeyBlocks(at_.mask, row0(round), kRows, kKeys).begin());
    M::add_bytes(job_.dq_sums + block_of_rows(round) * kRows * kDim + warp() * (Places::kWarpBytes / 4), place, Places::kWarpBytes);
  }
  /// That round's part has been read, and its place can be written; in order, it has been added as well, and the next block of keys may.
  BS_DEVICE void leave_queries(int round) const {
    if constexpr (!kOrdered) return M::wait_additions();
    M::end_additions();
    M::end_turn(turn(round));
  }
  BS_DEVICE int* turn(int round) const { return job_.turns + block_of_rows(round) * kTurnParts + warp(); }

  /// This round's place is left by one lane a warp.
  BS_DEVICE void leave(Tensor tensor, int stage) const {
    if (lane() == 0) M::arrive(places_.empty(tensor, stage));
  }

  BS_DEVICE void store(T* tensor, const float (&sums)[kDim / 2], float scale) const {
    BS_UNROLL
    for (int i = 0; i < kDim / 2; i += 2) {
      const int at = at_.key_block * kKeys + key() + i % 4 / 2 * 8, column = i / 4 * 8 + lane() % 4 * 2;
      if (at >= job_.kv_seq || column >= job_.head_dim) continue;
      T* const to = tensor + (static_cast<std::int64_t>(at_.kv_head) * job_.kv_seq + at) * job_.head_dim + column;
      *reinterpret_cast<std::uint32_t*>(to) = M::template pack<T>(sums[i] * scale, sums[i + 1] * scale);
    }
  }

  const FlashBwdSm90Job<M>& job_;
  Places places_;
  BlockOfKeys at_;
  int first_, count_;
};

}  // namespace bench::attention
