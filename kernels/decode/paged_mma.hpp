// SPDX-License-Identifier: Apache-2.0
// One block's work of decode attention over a paged cache on tensor cores (mma.sync, sm_80 and later): up to 16 kTiles query heads of one key/value
// head against one span of a sequence's tokens. The body only: paged_mma_cuda.cu launches it, and a test runs it on the host.
//
// The heads of a group are the rows of the left operand: a tile of 16, filled up with zeros. kTiles warps take a tile each, and 4 / kTiles such
// teams share the tokens of a stage, so that all four warps work whatever the group is; a team keeps a softmax state of its own, and states
// meet in shared memory at the end of the span. Keys and values come in stages of 64 tokens by asynchronous copies, kStages - 1 of them ahead. The rows
// that a thread copies in a stage lie in one page: it looks one number up, and that a stage before its use.
//
// Shared memory: Q, then kStages times K and V, swizzled (kernels/cuda/swizzle.hpp). Head dimensions below kDim are filled up with zeros.
#pragma once

#include "kernels/attention/softmax_products.hpp"
#include "kernels/attention/softmax_registers.hpp"
#include "kernels/cuda/swizzle.hpp"
#include "kernels/decode/paged_job.hpp"
#include "kernels/decode/paged_merge.hpp"

namespace bench::decode {

template <class M, class T, int kDim, int kTiles>
class PagedMma {
  static constexpr int kKeys = static_cast<int>(kSpanStep);  // tokens a stage
  static constexpr int kTeams = 4 / kTiles, kTeamKeys = kKeys / kTeams;
  static constexpr int kStages = kDim == 64 ? 4 : kDim == 128 ? 3 : 2;  // as many as leave room for another block, or fit

 public:
  static constexpr int kThreads = 128, kRows = 16 * kTiles;
  using States = TeamStates<M, T, kTeams, kRows, kDim, kThreads>;
  static constexpr int kTileBytes = cuda::tile_bytes(kRows + 2 * kKeys * kStages, kDim);
  static constexpr int kSharedBytes = kTileBytes > States::kBytes ? kTileBytes : States::kBytes;

  static BS_HOST_DEVICE int blocks(const PagedJob& job) { return PagedPart::blocks(job, kRows); }

  BS_DEVICE explicit PagedMma(const PagedJob& job) : job_(job), part_(job, M::block(), kRows), q_(M::shared()) {}

  BS_DEVICE void run() {
    if (part_.behind_the_end()) return;
    const int stages = (part_.end - part_.begin + kKeys - 1) / kKeys;
    page_ = page_of(0);
    fetch_queries();
    BS_UNROLL
    for (int stage = 0; stage < kStages - 1; ++stage) fetch(stage);
    rows_.clear(0);
    for (int stage = 0; stage < stages; ++stage) {
      M::template wait<kStages - 2>();
      M::sync();  // the stage is here for all, and nobody reads the one before
      fetch(stage + kStages - 1);
      attend(stage);
    }
    M::sync();  // nobody reads tiles where states go
    leave_states();
    M::sync();
    States::merge(job_, part_);
  }

 private:
  static constexpr int kChunks = kDim / cuda::kChunkElements;       // 16-byte pieces of a row
  static constexpr int kRowsEach = kKeys * kChunks / kThreads;      // of a stage, that a thread copies a piece of
  static_assert(kRowsEach <= kSmallestPage && kKeys % kRowsEach == 0, "a thread's rows of a stage lie in one page");

  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int tile() { return M::thread() / 32 % kTiles; }
  BS_DEVICE static int team() { return M::thread() / 32 / kTiles; }
  BS_DEVICE static int chunk() { return M::thread() % kChunks; }
  BS_DEVICE static int first_row() { return M::thread() / kChunks * kRowsEach; }
  BS_DEVICE std::uint32_t keys(int stage) const { return q_ + cuda::tile_bytes(kRows + stage % kStages * 2 * kKeys, kDim); }
  BS_DEVICE std::uint32_t values(int stage) const { return keys(stage) + cuda::tile_bytes(kKeys, kDim); }

  /// Where this thread's rows of a stage are; any page where there are none.
  BS_DEVICE int page_of(int stage) const {
    const int token = part_.begin + stage * kKeys + first_row();
    return token < part_.end ? job_.table[static_cast<std::int64_t>(part_.sequence) * job_.pages_each + (token >> job_.page_bits)] : 0;
  }

  BS_DEVICE void fetch_queries() const {
    const auto* from = static_cast<const T*>(job_.q) + (static_cast<std::int64_t>(part_.sequence) * job_.heads + part_.head) * job_.head_dim;
    for (int i = M::thread(); i < kRows * kChunks; i += kThreads) {
      const int row = i / kChunks, column = i % kChunks * cuda::kChunkElements;
      const bool there = row < part_.rows && column < job_.head_dim;
      M::copy16(q_ + cuda::swizzled(row, i % kChunks, kRows), there ? from + row * job_.head_dim + column : from, there);
    }
  }

  /// Asks for a stage's keys and values, as a group of its own; zeros behind the span's end and the head's last column.
  BS_DEVICE void fetch(int stage) {
    const int token = part_.begin + stage * kKeys + first_row();
    if (stage * kKeys < part_.end - part_.begin) {
      const int column = chunk() * cuda::kChunkElements, rows = column < job_.head_dim ? part_.end - token : 0;
      const std::int64_t slot = (static_cast<std::int64_t>(page_) << job_.page_bits) + (token & ((1 << job_.page_bits) - 1));
      const std::int64_t step = static_cast<std::int64_t>(job_.kv_heads) * job_.head_dim, begin = slot * step + part_.kv_head * job_.head_dim + column;
      page_ = page_of(stage + 1);
      BS_UNROLL
      for (int i = 0; i < kRowsEach; ++i) {
        const std::int64_t at = i < rows ? begin + i * step : 0;
        const std::uint32_t to = cuda::swizzled(first_row() + i, chunk(), kKeys);
        M::copy16(keys(stage) + to, static_cast<const T*>(job_.k) + at, i < rows);
        M::copy16(values(stage) + to, static_cast<const T*>(job_.v) + at, i < rows);
      }
    }
    M::commit();
  }

  BS_DEVICE void attend(int stage) {
    attention::score(rows_, attention::SharedRows{q_, kRows, tile() * 16}, attention::SharedRows{keys(stage), kKeys, team() * kTeamKeys});
    hide_from(part_.end - (part_.begin + stage * kKeys + team() * kTeamKeys));
    float shrink[1][2];
    rows_.soften(job_.scale_log2, shrink);
    rows_.shrink_output(shrink);
    attention::weigh(rows_, attention::SharedRows{values(stage), kKeys, team() * kTeamKeys});
  }

  /// The team's keys from `end` on do not count.
  BS_DEVICE void hide_from(int end) {
    if (end >= kTeamKeys) return;
    BS_UNROLL
    for (int i = 0; i < kTeamKeys / 2; ++i)
      if (rows_.column(i / 4) + i % 2 >= end) rows_.scores[0][i] = kNoScore;
  }

  BS_DEVICE void leave_states() const {
    BS_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = tile() * 16 + half * 8 + lane() / 4;
      float* const to = States::out(team(), row);
      BS_UNROLL
      for (int n = 0; n < kDim / 8; ++n) {
        BS_UNROLL
        for (int i = 0; i < 2; ++i) to[rows_.column(n) + i] = rows_.out[0][n * 4 + half * 2 + i];
      }
      float total = rows_.sum[0][half];
      total += M::shuffle_xor(total, 1);
      total += M::shuffle_xor(total, 2);
      if (lane() % 4 > 0) continue;
      *States::most(team(), row) = rows_.most[0][half] * job_.scale_log2;
      *States::sum(team(), row) = total;
    }
  }

  PagedJob job_;
  PagedPart part_;
  std::uint32_t q_;
  int page_;
  attention::SoftmaxRegisters<M, T, 1, kTeamKeys, kDim> rows_;
};

}  // namespace bench::decode
