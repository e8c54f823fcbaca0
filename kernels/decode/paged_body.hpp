// SPDX-License-Identifier: Apache-2.0
// One block's work of decode attention over a paged cache on a device: the query heads of one key/value head (at most kGroup of them)
// against one span of a sequence's tokens; and the merge of the spans. The bodies only: paged_cuda.cu launches them, and a test runs
// them on the host.
//
// A step reads each cached row once and does little with it, so everything serves the reading: kDim / 8 neighbouring lanes (a team) take a
// row in 16-byte pieces, each team has kUnroll rows of keys and values on their way at a time, and no row passes through shared memory.
// Teams keep softmax states of their own, which meet in shared memory once, at the end of the span.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/cuda/function.hpp"
#include "kernels/decode/decode.hpp"
#include "kernels/decode/paged_split.hpp"

namespace bench::decode {

/// q (B, H, D), caches (pages, page, Hkv, D), table (B, pages_each), lengths (B) -> out (B, H, D), lse (B, H). With more than one split
/// part_out (B, H, splits, D) and part_lse (B, H, splits), which merge turns into them.
struct PagedJob {
  const void *q, *k, *v;
  const std::int32_t *table, *lengths;
  void* out;
  float *lse, *part_out, *part_lse;
  int batch, heads, kv_heads, head_dim, pages_each, splits, span;
  int page_bits;  // a page has 2^page_bits tokens
  float scale_log2;
  BS_HOST_DEVICE int group() const { return heads / kv_heads; }
};

/// The sizes of `problem`, cut by `plan`; a page must have 2^n tokens. Whoever has the tensors sets the pointers.
inline PagedJob paged_job(const DecodeProblem& problem, const SplitPlan& plan) {
  const auto small = [](std::int64_t n) { return static_cast<int>(n); };
  PagedJob job{};
  job.batch = small(problem.batch);
  job.heads = small(problem.heads);
  job.kv_heads = small(problem.kv_heads);
  job.head_dim = small(problem.head_dim);
  job.pages_each = small(problem.pages_each());
  job.splits = small(plan.splits);
  job.span = small(plan.span);
  job.page_bits = std::countr_zero(static_cast<std::uint64_t>(problem.page));
  job.scale_log2 = static_cast<float>(problem.scale() * attention::kLog2E);
  return job;
}

inline constexpr float kNoScore = -INFINITY;
inline constexpr float kLn2 = static_cast<float>(attention::kLn2);

/// 2^(a - b), 0 where there was no score at all.
template <class M>
BS_DEVICE float weight_of(float a, float b) {
  return a == kNoScore ? 0.0F : M::exp2(a - b);
}

template <class M, class T, int kDim, int kGroup>
class PagedSplit {
 public:
  static constexpr int kThreads = 128;
  static constexpr int kLanes = kDim / 8, kTeams = kThreads / kLanes;
  static constexpr int kSharedBytes = kTeams * kGroup * (kDim + 2) * 4;

  static BS_HOST_DEVICE int blocks(const PagedJob& job) { return job.batch * job.kv_heads * chunks(job) * job.splits; }

  BS_DEVICE explicit PagedSplit(const PagedJob& job) : job_(job) {
    int at = M::block();
    split_ = at % job.splits;
    at /= job.splits;
    const int chunk = at % chunks(job);
    at /= chunks(job);
    kv_head_ = at % job.kv_heads;
    sequence_ = at / job.kv_heads;
    head_ = kv_head_ * job.group() + chunk * kGroup;
    rows_ = job.group() - chunk * kGroup < kGroup ? job.group() - chunk * kGroup : kGroup;
  }

  BS_DEVICE void run() {
    const int length = job_.lengths[sequence_], begin = split_ * job_.span;
    const int end = begin + job_.span < length ? begin + job_.span : length;
    load_queries();
    for (int token = begin; token < end; token += kTeams * kUnroll) attend(token + team(), end);
    leave_states();
    M::sync();
    merge_teams();
  }

 private:
  static constexpr int kUnroll = kGroup <= 4 ? 4 : 2;  // rows on their way: as many as the registers hold

  static BS_HOST_DEVICE int chunks(const PagedJob& job) { return (job.group() + kGroup - 1) / kGroup; }
  BS_DEVICE static int team() { return M::thread() / kLanes; }
  BS_DEVICE static int column() { return M::thread() % kLanes * 8; }
  BS_DEVICE bool holds_columns() const { return column() < job_.head_dim; }

  BS_DEVICE void load_queries() {
    BS_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      most_[g] = kNoScore;
      sum_[g] = 0.0F;
      const bool there = g < rows_ && holds_columns();
      const auto words = there ? M::load16(static_cast<const T*>(job_.q) + (static_cast<std::int64_t>(sequence_) * job_.heads + head_ + g) * job_.head_dim + column())
                               : typename M::Words{};
      unpack(words, q_[g]);
      BS_UNROLL
      for (int i = 0; i < 8; ++i) {
        q_[g][i] *= job_.scale_log2;
        out_[g][i] = 0.0F;
      }
    }
  }

  BS_DEVICE static void unpack(const typename M::Words& words, float (&x)[8]) {
    BS_UNROLL
    for (int i = 0; i < 4; ++i) {
      x[2 * i] = M::template low<T>(words.word[i]);
      x[2 * i + 1] = M::template high<T>(words.word[i]);
    }
  }

  /// Element of the caches where this lane's piece of a token's row begins.
  BS_DEVICE std::int64_t place_of(int token) const {
    const std::int64_t page = job_.table[static_cast<std::int64_t>(sequence_) * job_.pages_each + (token >> job_.page_bits)];
    const std::int64_t slot = (page << job_.page_bits) + (token & ((1 << job_.page_bits) - 1));
    return (slot * job_.kv_heads + kv_head_) * job_.head_dim + column();
  }

  /// Tokens first, first + kTeams, ...: kUnroll of them, less those from `end` on.
  BS_DEVICE void attend(int first, int end) {
    typename M::Words k[kUnroll] = {}, v[kUnroll] = {};
    BS_UNROLL
    for (int u = 0; u < kUnroll; ++u) {
      const int token = first + u * kTeams;
      if (token >= end || !holds_columns()) continue;  // what lies there is nobody's
      const std::int64_t at = place_of(token);
      k[u] = M::load16(static_cast<const T*>(job_.k) + at);
      v[u] = M::load16(static_cast<const T*>(job_.v) + at);
    }
    float score[kUnroll][kGroup];
    BS_UNROLL
    for (int u = 0; u < kUnroll; ++u) {
      float key[8];
      unpack(k[u], key);
      BS_UNROLL
      for (int g = 0; g < kGroup; ++g) {
        const float s = dot(q_[g], key);
        score[u][g] = first + u * kTeams < end ? s : kNoScore;
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

  BS_DEVICE void weigh(float (&score)[kUnroll][kGroup], const typename M::Words (&v)[kUnroll]) {
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

  // Shared memory: out (teams, kGroup, kDim), most (teams, kGroup), sum (teams, kGroup).
  BS_DEVICE static float* team_out(int team, int g) { return M::shared_floats() + (team * kGroup + g) * kDim; }
  BS_DEVICE static float* team_most(int team, int g) { return M::shared_floats() + kTeams * kGroup * kDim + team * kGroup + g; }
  BS_DEVICE static float* team_sum(int team, int g) { return team_most(team, g) + kTeams * kGroup; }

  BS_DEVICE void leave_states() const {
    BS_UNROLL
    for (int g = 0; g < kGroup; ++g) {
      BS_UNROLL
      for (int i = 0; i < 8; ++i) team_out(team(), g)[column() + i] = out_[g][i];
      if (column() > 0) continue;
      *team_most(team(), g) = most_[g];
      *team_sum(team(), g) = sum_[g];
    }
  }

  BS_DEVICE void merge_teams() const {
    for (int i = M::thread(); i < rows_ * kDim; i += kThreads) {
      const int g = i / kDim, d = i % kDim;
      float most = kNoScore, sum = 0.0F, out = 0.0F;
      for (int t = 0; t < kTeams; ++t) most = fmaxf(most, *team_most(t, g));
      for (int t = 0; t < kTeams; ++t) {
        const float weight = weight_of<M>(*team_most(t, g), most);
        sum += weight * *team_sum(t, g);
        out += weight * team_out(t, g)[d];
      }
      if (d < job_.head_dim) leave(g, d, sum > 0.0F ? out / sum : 0.0F, sum > 0.0F ? most * kLn2 + M::log(sum) : kNoScore);
    }
  }

  BS_DEVICE void leave(int g, int d, float out, float lse) const {
    const std::int64_t row = static_cast<std::int64_t>(sequence_) * job_.heads + head_ + g;
    if (job_.splits == 1) {
      static_cast<T*>(job_.out)[row * job_.head_dim + d] = M::template round<T>(out);
      if (d == 0) job_.lse[row] = lse;
      return;
    }
    const std::int64_t part = row * job_.splits + split_;
    job_.part_out[part * job_.head_dim + d] = out;
    if (d == 0) job_.part_lse[part] = lse;
  }

  PagedJob job_;
  int split_, kv_head_, sequence_, head_, rows_;
  float q_[kGroup][8], out_[kGroup][8];
  float most_[kGroup], sum_[kGroup];
};

/// One row of (B, H): its splits, weighed by their softmax sums, in ascending order.
template <class M, class T>
struct PagedMerge {
  static constexpr int kThreads = 128;

  static BS_DEVICE void run(const PagedJob& job) {
    constexpr float kPerLn2 = 1.0F / kLn2;
    const std::int64_t row = M::block();
    const float* lse = job.part_lse + row * job.splits;
    float most = kNoScore, sum = 0.0F;
    for (int s = 0; s < job.splits; ++s) most = fmaxf(most, lse[s]);
    for (int s = 0; s < job.splits; ++s) sum += weight_of<M>(lse[s] * kPerLn2, most * kPerLn2);
    for (int d = M::thread(); d < job.head_dim; d += kThreads) {
      float out = 0.0F;
      for (int s = 0; s < job.splits; ++s)
        out += weight_of<M>(lse[s] * kPerLn2, most * kPerLn2) * job.part_out[(row * job.splits + s) * job.head_dim + d];
      static_cast<T*>(job.out)[row * job.head_dim + d] = M::template round<T>(out / sum);
    }
    if (M::thread() == 0) job.lse[row] = most + M::log(sum);
  }
};

}  // namespace bench::decode
