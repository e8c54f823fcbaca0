// SPDX-License-Identifier: Apache-2.0
// One block's work of attention's backward pass on tensor cores of sm_80 and later (mma.sync), for 256 threads: kKeys keys of one key/value head
// against all rows of its query heads. The body only: flash_bwd_mma_launch.cuh launches it, and a test runs it on the host.
//
// Algorithm: FlashAttention-2's backward pass (Dao 2023, algorithm 2). K and V stay in shared memory, dK and dV in registers; Q and dO come in blocks
// of kRows rows, of one query head after the other, so that grouped heads add up in registers as well. For each block S = Q K^T, P = exp(S - lse),
// dP = dO V^T, dS = P (dP - delta); P and dS go to shared memory, rounded to 16 bits; then dV += P^T dO, dK += dS^T Q, dQ += dS K, of which dQ's
// is added to sums in global memory. Only blocks of rows that see some key are visited, and only those at the ends run masked code.
//
// Out: what dK and dV are written in; fp32 where others add to them (kv_passing_bwd_device.hpp).
// kStages 2: the next Q and dO fly for a whole round; kStages 1: from dK's product on, under dQ's.
// kOrdered: additions to a block of dQ wait for those of all key blocks before this one, so that sums have the same bits in every run. Blocks take their
// places by ticket, and wait for tickets before theirs only, which are held by blocks that already run.
//
// Shared memory: K, V, kStages times Q and dO, P, dS; all swizzled. Every product is cut into 32 rows a warp and what columns remain.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/attention/softcap.hpp"
#include "kernels/cuda/tile_fetch.hpp"
#include "kernels/cuda/warp_product.hpp"

namespace bench::attention {

template <class M, class T, int kDim, int kRowsOfBlock, int kKeys, int kStages, bool kOrdered, class Out = T>
class FlashBwdMma {
 public:
  static constexpr int kThreads = 256, kRows = kRowsOfBlock, kColumns = kDim, kTurnParts = kOrdered ? 1 : 0;
  static constexpr int kSharedBytes = cuda::tile_bytes(2 * kKeys + 2 * kStages * kRows, kDim) + cuda::tile_bytes(2 * kRows, kKeys);

  static BS_HOST_DEVICE int blocks(const BwdJob& job) { return job.key_blocks(kKeys) * (job.batch * job.heads / job.group); }

  BS_DEVICE explicit FlashBwdMma(const BwdJob& job) : job_(job), shared_(M::shared()), at_(job, place(job)) {
    const RowBlocks rows{at_.mask, kRows, kKeys, job.row_blocks(kRows)};
    first_ = rows.begin(at_.key_block);
    count_ = rows.end(at_.key_block) - first_;
    if (count_ < 0) count_ = 0;
  }

  BS_DEVICE void run() {
    cuda::clear(dk_);
    cuda::clear(dv_);
    if (count_ > 0) walk();
    const float scale = job_.scale_log2 * static_cast<float>(kLn2);
    store(static_cast<Out*>(job_.dk), dk_, scale);
    store(static_cast<Out*>(job_.dv), dv_, 1.0F);
  }

  /// Which element of a block of dQ register i of a thread is, and its place in global memory: neighbours of a warp beside each other.
  struct Slots {
    static constexpr int kThreads = FlashBwdMma::kThreads, kRows = FlashBwdMma::kRows, kFloats = kRows * kDim / kThreads;
    BS_DEVICE static int row(int thread, int i) { return queries(thread).row(i / (kFloats / 2), i % 4 / 2); }
    BS_DEVICE static int column(int thread, int i) { return queries(thread).column(i % (kFloats / 2) / 4) + i % 2; }
    BS_DEVICE static int place(int thread, int i) { return (i / M::kAddWidth * kThreads + thread) * M::kAddWidth + i % M::kAddWidth; }
  };

 private:
  static constexpr int kWarps = kThreads / 32, kRowWarps = kRows / 32, kKeyWarps = kKeys / 32;
  static constexpr int kScoreColumns = kKeys / (kWarps / kRowWarps);  // of a warp: keys of S and dP,
  static constexpr int kQueryColumns = kDim / (kWarps / kRowWarps);   // of dQ,
  static constexpr int kKeyColumns = kDim / (kWarps / kKeyWarps);     // and of dK and dV
  static constexpr int kRowBytes = cuda::tile_bytes(kRows, kDim), kKeyBytes = cuda::tile_bytes(kKeys, kDim);
  using Tile = cuda::WarpTile<M>;
  using Scores = float[2][kScoreColumns / 2];
  using Fetch = cuda::TileFetch<M, T, kThreads, kDim>;

  BS_DEVICE static Tile queries(int thread) { return Tile(thread, kRowWarps, kQueryColumns); }
  BS_DEVICE static int warp() { return M::thread() / 32; }

  BS_DEVICE std::uint32_t k() const { return shared_; }
  BS_DEVICE std::uint32_t v() const { return shared_ + kKeyBytes; }
  BS_DEVICE std::uint32_t q(int round) const { return shared_ + 2 * kKeyBytes + round % kStages * 2 * kRowBytes; }
  BS_DEVICE std::uint32_t dout(int round) const { return q(round) + kRowBytes; }
  BS_DEVICE std::uint32_t p() const { return shared_ + 2 * kKeyBytes + 2 * kStages * kRowBytes; }
  BS_DEVICE std::uint32_t ds() const { return p() + cuda::tile_bytes(kRows, kKeys); }

  /// Which block this is: in the order of starting, if that matters.
  BS_DEVICE int place(const BwdJob& job) const {
    if constexpr (!kOrdered) return M::block();
    if (M::thread() == 0) M::store_word(shared_, static_cast<std::uint32_t>(M::take_ticket(job.tickets)));
    M::sync();
    const auto ticket = static_cast<int>(M::load_word(shared_));
    M::sync();  // all have read it before a tile comes there
    return ticket;
  }

  /// A block of rows of a query head: what a round is about.
  struct Rows {
    int head, row_block;
  };
  BS_DEVICE Rows next(const Rows& rows) const {
    return rows.row_block + 1 < first_ + count_ ? Rows{rows.head, rows.row_block + 1} : Rows{rows.head + 1, first_};
  }
  /// Of a block of rows among all heads'.
  BS_DEVICE std::int64_t index(const Rows& rows) const { return static_cast<std::int64_t>(rows.head) * job_.row_blocks(kRows) + rows.row_block; }

  /// Row `row` of a head of a tensor with `length` rows a head.
  BS_DEVICE const T* rows_of(const void* tensor, int length, int head, int row) const {
    return static_cast<const T*>(tensor) + (static_cast<std::int64_t>(head) * length + row) * job_.head_dim;
  }

  BS_DEVICE void fetch_rows(const Rows& rows, int round) const {
    const int row0 = rows.row_block * kRows;
    Fetch::template rows<kRows>(q(round), rows_of(job_.q, job_.seq, rows.head, row0), job_.head_dim, job_.seq - row0);
    Fetch::template rows<kRows>(dout(round), rows_of(job_.dout, job_.seq, rows.head, row0), job_.head_dim, job_.seq - row0);
    M::commit();
  }

  BS_DEVICE void walk() {
    const int key0 = at_.key_block * kKeys, rounds = count_ * job_.group;
    Fetch::template rows<kKeys>(k(), rows_of(job_.k, job_.kv_seq, at_.kv_head, key0), job_.head_dim, job_.kv_seq - key0);
    Fetch::template rows<kKeys>(v(), rows_of(job_.v, job_.kv_seq, at_.kv_head, key0), job_.head_dim, job_.kv_seq - key0);
    Rows rows{at_.first_head, first_}, last = rows;
    fetch_rows(rows, 0);
    for (int round = 0; round < rounds; ++round) {
      M::template wait<0>();
      M::sync();  // Q and dO are here for all; nobody reads P, dS or the other stage, and all have added to dQ
      if (round > 0) end_turn(last);
      if (kStages > 1 && round + 1 < rounds) fetch_rows(next(rows), round + 1);
      weigh(rows, round);
      await_turn(rows);
      M::sync();  // P and dS are here for all
      add_keys(round);
      if (kStages == 1) M::sync();  // nobody reads Q and dO
      if (kStages == 1 && round + 1 < rounds) fetch_rows(next(rows), round + 1);
      add_queries(rows);
      last = rows;
      rows = next(rows);
    }
    if constexpr (!kOrdered) return;
    M::sync();  // all have added to dQ
    end_turn(last);
  }

  BS_DEVICE KeyBlocks seen_by(const Rows& rows) const { return KeyBlocks(at_.mask, rows.row_block * kRows, kRows, kKeys); }

  /// Until all key blocks before this one that add to a block of dQ have done so.
  BS_DEVICE void await_turn(const Rows& rows) const {
    if (kOrdered && M::thread() == 0) M::await_turn(job_.turns + index(rows), at_.key_block - seen_by(rows).begin());
  }
  BS_DEVICE void end_turn(const Rows& rows) const {
    if (kOrdered && M::thread() == 0) M::end_turn(job_.turns + index(rows));
  }

  /// P and dS of this round into shared memory. dP is summed up from -delta on.
  BS_DEVICE void weigh(const Rows& rows, int round) const {
    const Tile mine(M::thread(), kRowWarps, kScoreColumns);
    const RowNumbers* const numbers = job_.rows + index(rows) * kRows;
    const int row0 = warp() % kRowWarps * 32, key0 = warp() / kRowWarps * kScoreColumns;
    float lse_log2[2][2];
    BS_UNROLL
    for (int i = 0; i < 4; ++i) lse_log2[i / 2][i % 2] = numbers[mine.row(i / 2, i % 2)].lse_log2;
    Scores weights, ds_of;
    cuda::clear(weights);
    multiply_rows(weights, q(round), k(), row0, key0);
    if (job_.cap > 0.0F) cap(weights);
    if (seen_by(rows).hides_some(at_.key_block)) hide(weights, mine, rows.row_block * kRows);
    if (job_.cap > 0.0F)
      soften<true>(weights, mine, lse_log2);
    else
      soften<false>(weights, mine, lse_log2);
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float delta = numbers[mine.row(i / 2, i % 2)].delta;
      BS_UNROLL
      for (int at = i % 2 * 2; at < kScoreColumns / 2; at += 4) ds_of[i / 2][at] = ds_of[i / 2][at + 1] = -delta;
    }
    multiply_rows(ds_of, dout(round), v(), row0, key0);
    BS_UNROLL
    for (int i = 0; i < kScoreColumns; ++i) ds_of[i / (kScoreColumns / 2)][i % (kScoreColumns / 2)] *= weights[i / (kScoreColumns / 2)][i % (kScoreColumns / 2)];
    cuda::store_tile<M, T, kRows>(ds(), mine, ds_of);
  }

  /// As much at once as leaves all in registers.
  template <int kK, int kCount, class Left, class Right>
  BS_DEVICE static void multiply(float (&sums)[2][kCount], const Left& left, const Right& right) {
    cuda::add_product<M, T, kK, (kDim > 64 && kCount < 32 ? 2 : 1)>(sums, left, right);
  }
  /// scores += a b^T over D, both with D columns.
  BS_DEVICE static void multiply_rows(Scores& scores, std::uint32_t a, std::uint32_t b, int row0, int key0) {
    multiply<kDim>(scores, cuda::Operand<M, kRows, false>::left(a, row0), cuda::Operand<M, kKeys, false>::right(b, key0));
  }

  BS_DEVICE void cap(Scores& scores) const {
    BS_UNROLL
    for (int i = 0; i < kScoreColumns; ++i) scores[i / (kScoreColumns / 2)][i % (kScoreColumns / 2)] = capped<M>(scores[i / (kScoreColumns / 2)][i % (kScoreColumns / 2)], job_.cap);
  }

  /// Minus infinity where a row does not see a key.
  BS_DEVICE void hide(Scores& scores, const Tile& mine, int row0) const {
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int row = row0 + mine.row(i / 2, i % 2), first = at_.mask.first(row) - at_.key_block * kKeys, end = at_.mask.end(row) - at_.key_block * kKeys;
      BS_UNROLL
      for (int n = 0; n < kScoreColumns / 8; ++n) {
        BS_UNROLL
        for (int j = 0; j < 2; ++j)
          if (mine.column(n) + j < first || mine.column(n) + j >= end) scores[i / 2][n * 4 + i % 2 * 2 + j] = -INFINITY;
      }
    }
  }

  /// Scores become weights, which go to shared memory; what stays is what (dP - delta) is to be multiplied by.
  template <bool kCapped>
  BS_DEVICE void soften(Scores& scores, const Tile& mine, const float (&lse_log2)[2][2]) const {
    BS_UNROLL
    for (int i = 0; i < kScoreColumns; i += 2) {
      float* const s = &scores[i / (kScoreColumns / 2)][i % (kScoreColumns / 2)];
      const float lse = lse_log2[i / (kScoreColumns / 2)][i % 4 / 2], slope[2] = {slope_of<kCapped>(s[0]), slope_of<kCapped>(s[1])};
      BS_UNROLL
      for (int j = 0; j < 2; ++j) s[j] = M::exp2(s[j] * job_.scale_log2 - lse);
      cuda::store_pair<M, T, kRows>(p(), mine, i / (kScoreColumns / 2), i % (kScoreColumns / 2), s[0], s[1]);
      BS_UNROLL
      for (int j = 0; j < 2; ++j) s[j] *= slope[j];
    }
  }
  template <bool kCapped>
  BS_DEVICE float slope_of(float score) const {
    if constexpr (kCapped) return cap_slope<M>(score, job_.cap);
    return 1.0F;
  }

  /// dV += P^T dO, dK += dS^T Q.
  BS_DEVICE void add_keys(int round) {
    const int key0 = warp() % kKeyWarps * 32, column0 = warp() / kKeyWarps * kKeyColumns;
    using Left = cuda::Operand<M, kRows, true>;
    multiply<kRows>(dv_, Left::left(p(), key0), Left::right(dout(round), column0));
    multiply<kRows>(dk_, Left::left(ds(), key0), Left::right(q(round), column0));
  }

  /// dQ's sums += dS K.
  BS_DEVICE void add_queries(const Rows& rows) const {
    float dq[2][kQueryColumns / 2];
    cuda::clear(dq);
    multiply<kKeys>(dq, cuda::Operand<M, kRows, false>::left(ds(), warp() % kRowWarps * 32),
                                   cuda::Operand<M, kKeys, true>::right(k(), warp() / kRowWarps * kQueryColumns));
    float* const to = job_.dq_sums + index(rows) * kRows * kDim;
    BS_UNROLL
    for (int i = 0; i < Slots::kFloats; i += M::kAddWidth) M::add(to + Slots::place(M::thread(), i), &dq[i / (Slots::kFloats / 2)][i % (Slots::kFloats / 2)]);
  }

  BS_DEVICE static void store_two(T* to, float low, float high) { *reinterpret_cast<std::uint32_t*>(to) = M::template pack<T>(low, high); }
  BS_DEVICE static void store_two(float* to, float low, float high) {
    struct alignas(8) Two {
      float low, high;
    };
    *reinterpret_cast<Two*>(to) = {low, high};
  }
  BS_DEVICE void store(Out* tensor, const float (&sums)[2][kKeyColumns / 2], float scale) const {
    const Tile mine(M::thread(), kKeyWarps, kKeyColumns);
    BS_UNROLL
    for (int i = 0; i < kKeyColumns; i += 2) {
      const int m = i / (kKeyColumns / 2), at = i % (kKeyColumns / 2);
      const int key = at_.key_block * kKeys + mine.row(m, at % 4 / 2), column = mine.column(at / 4);
      if (key >= job_.kv_seq || column >= job_.head_dim) continue;
      store_two(tensor + (static_cast<std::int64_t>(at_.kv_head) * job_.kv_seq + key) * job_.head_dim + column, sums[m][at] * scale, sums[m][at + 1] * scale);
    }
  }

  BwdJob job_;
  std::uint32_t shared_;
  BlockOfKeys at_;
  int first_, count_;
  float dk_[2][kKeyColumns / 2], dv_[2][kKeyColumns / 2];
};

}  // namespace bench::attention
