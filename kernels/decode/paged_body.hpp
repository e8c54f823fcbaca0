// SPDX-License-Identifier: Apache-2.0
// One block's work of decode attention over a paged cache on a device's ordinary lanes: the query heads of one key/value head (at most kGroup of
// them) against one span of a sequence's tokens. The body only: paged_cuda.cu launches it, and a test runs it on the host.
//
// A step reads each cached row once and does little with it, so everything serves the reading: kDim / 8 neighbouring lanes (a team) take a
// row in 16-byte pieces, each team has kUnroll rows of keys and values on their way at a time, and no row passes through shared memory.
// Teams keep softmax states of their own, which meet in shared memory once, at the end of the span.
#pragma once

#include "kernels/decode/paged_job.hpp"
#include "kernels/decode/paged_merge.hpp"

namespace bench::decode {

template <class M, class T, int kDim, int kGroup>
class PagedSplit {
  static constexpr int kPieces = static_cast<int>(sizeof(T)) / 2, kEach = 8 / kPieces;  // of 16 bytes a lane and row; elements of one

 public:
  static constexpr int kThreads = 128, kRows = kGroup;
  static constexpr int kLanes = kDim / 8, kTeams = kThreads / kLanes;
  using States = TeamStates<M, T, kTeams, kGroup, kDim, kThreads>;
  static constexpr int kSharedBytes = States::kBytes;

  static BS_HOST_DEVICE int blocks(const PagedJob& job) { return PagedPart::blocks(job, kRows); }

  BS_DEVICE explicit PagedSplit(const PagedJob& job) : job_(job), part_(job, M::block(), kRows) {}

  BS_DEVICE void run() {
    if (part_.behind_the_end()) return;
    load_queries();
    for (int token = part_.begin; token < part_.end; token += kTeams * kUnroll) attend(token + team());
    leave_states();
    M::sync();
    States::merge(job_, part_);
  }

 private:
  static constexpr int kUnroll = (kGroup <= 4 ? 4 : 2) / kPieces;  // rows on their way: as many as the registers hold
  struct Row {
    typename M::Words piece[kPieces];
  };

  BS_DEVICE static int team() { return M::thread() / kLanes; }
  /// Where the i-th of this lane's eight elements is; the lanes of a team read each piece side by side.
  BS_DEVICE static int column(int i) { return i / kEach * kLanes * kEach + M::thread() % kLanes * kEach + i % kEach; }

  /// This lane's pieces; what lies behind the head's last column is zero.
  BS_DEVICE Row load(const void* tensor, std::int64_t row) const {
    Row got = {};
    BS_UNROLL
    for (int piece = 0; piece < kPieces; ++piece)
      if (column(piece * kEach) < job_.head_dim) got.piece[piece] = M::load16(static_cast<const T*>(tensor) + row * job_.head_dim + column(piece * kEach));
    return got;
  }

  BS_DEVICE static void unpack(const Row& row, float (&x)[8]) {
    BS_UNROLL
    for (int i = 0; i < 8; ++i) {
      const std::uint32_t word = row.piece[i / kEach].word[i % kEach * 4 / kEach];
      if constexpr (kPieces == 2)
        x[i] = M::number(word);
      else
        x[i] = i % 2 == 0 ? M::template low<T>(word) : M::template high<T>(word);
    }
  }

  BS_DEVICE void load_queries() {
    BS_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      most_[g] = kNoScore;
      sum_[g] = 0.0F;
      unpack(g < part_.rows ? load(job_.q, static_cast<std::int64_t>(part_.sequence) * job_.heads + part_.head + g) : Row{}, q_[g]);
      BS_UNROLL
      for (int i = 0; i < 8; ++i) {
        q_[g][i] *= job_.scale_log2;
        out_[g][i] = 0.0F;
      }
    }
  }

  /// Row of the caches that holds a token.
  BS_DEVICE std::int64_t place_of(int token) const {
    const std::int64_t page = job_.table[static_cast<std::int64_t>(part_.sequence) * job_.pages_each + (token >> job_.page_bits)];
    const std::int64_t slot = (page << job_.page_bits) + (token & ((1 << job_.page_bits) - 1));
    return slot * job_.kv_heads + part_.kv_head;
  }

  /// Tokens first, first + kTeams, ...: kUnroll of them, less those behind the part's end.
  BS_DEVICE void attend(int first) {
    Row k[kUnroll] = {}, v[kUnroll] = {};
    BS_UNROLL
    for (int u = 0; u < kUnroll; ++u) {
      const int token = first + u * kTeams;
      if (token >= part_.end) continue;  // what lies there is nobody's
      const std::int64_t at = place_of(token);
      k[u] = load(job_.k, at);
      v[u] = load(job_.v, at);
    }
    float score[kUnroll][kGroup];
    BS_UNROLL
    for (int u = 0; u < kUnroll; ++u) {
      float key[8];
      unpack(k[u], key);
      BS_UNROLL
      for (int g = 0; g < kGroup; ++g) {
        const float s = dot(q_[g], key);
        score[u][g] = first + u * kTeams < part_.end ? s : kNoScore;
      }
    }
    weigh(score, v);
  }

  /// Over the columns of all lanes of the team.
  BS_DEVICE static float dot(const float (&a)[8], const float (&b)[8]) {
    float sum = 0.0F;
    BS_UNROLL
    for (int i = 0; i < 8; ++i) sum += a[i] * b[i];
    BS_UNROLL
    for (int lanes = 1; lanes < kLanes; lanes *= 2) sum += M::shuffle_xor(sum, lanes);
    return sum;
  }

  BS_DEVICE void weigh(float (&score)[kUnroll][kGroup], const Row (&v)[kUnroll]) {
    BS_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      float most = most_[g];
      BS_UNROLL
      for (int u = 0; u < kUnroll; ++u) most = fmaxf(most, score[u][g]);
      const float shrink = weight_of<M>(most_[g], most);
      most_[g] = most;
      sum_[g] *= shrink;
      BS_UNROLL
      for (int i = 0; i < 8; ++i) out_[g][i] *= shrink;
      BS_UNROLL
      for (int u = 0; u < kUnroll; ++u) {
        score[u][g] = weight_of<M>(score[u][g], most);
        sum_[g] += score[u][g];
      }
    }
    BS_UNROLL
    for (int u = 0; u < kUnroll; ++u) {
      float value[8];
      unpack(v[u], value);
      BS_UNROLL
      for (int g = 0; g < kGroup; ++g) {
        BS_UNROLL
        for (int i = 0; i < 8; ++i) out_[g][i] += score[u][g] * value[i];
      }
    }
  }

  BS_DEVICE void leave_states() const {
    BS_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      BS_UNROLL
      for (int i = 0; i < 8; ++i) States::out(team(), g)[column(i)] = out_[g][i];
      if (M::thread() % kLanes > 0) continue;
      *States::most(team(), g) = most_[g];
      *States::sum(team(), g) = sum_[g];
    }
  }

  PagedJob job_;
  PagedPart part_;
  float q_[kGroup][8], out_[kGroup][8];
  float most_[kGroup], sum_[kGroup];
};

}  // namespace bench::decode
