// SPDX-License-Identifier: Apache-2.0
// The softmax between the two products of naive attention: rows of scores to rows of weights, the mask and the scale on the way; the body as a template
// over its machine (kernels/cuda/machine.cuh). A cap on the scores as well: limit tanh(s / limit).
//
// P[i][j] = 2^(c s_ij - c max_i) / sum_i over the keys that row i sees, 0 elsewhere, and lse_i; c = log2(e) / sqrt(D), maximum and sum in fp32. A
// warp takes a row of up to 2048 keys, a block of 256 threads a longer one: the row stays in registers, 64 scores a thread, so it is read once. Beyond
// 16384 keys it is taken in such spans and read twice; maximum and sum follow online (Milakov & Gimelshein 2018). Only visible scores are read.
// All columns of P are written, or (kSkip) those that the product with V looks at for a tile of 128 rows.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/attention/naive_products.hpp"
#include "kernels/attention/softcap.hpp"

namespace bench::attention {

/// A raw score under a cap of raw scores, 0 for none.
template <class M>
BS_DEVICE float capped_score(float score, float limit) {
  return limit == 0.0F ? score : capped<M>(score, limit);
}

template <class M, class T, int kRowThreads, bool kSkip>
class NaiveSoftmax {
 public:
  static constexpr int kThreads = kRowThreads == 32 ? 128 : kRowThreads;
  static constexpr int kWarps = kRowThreads / 32;  // a row's
  static constexpr int kFours = 16, kSpan = kRowThreads * 4 * kFours;  // columns that a row's threads hold
  static constexpr int kSharedBytes = kRowThreads == 32 ? 0 : 2 * kWarps * 4;

  static BS_HOST_DEVICE int blocks(const NaiveJob& job) {
    constexpr int kEach = kThreads / kRowThreads;
    return (job.attention.batch * job.attention.heads * job.attention.seq + kEach - 1) / kEach;
  }

  BS_DEVICE explicit NaiveSoftmax(const NaiveJob& job) : job_(job), at_(M::block() * (kThreads / kRowThreads) + M::thread() / kRowThreads) {}

  BS_DEVICE void run() {
    const DeviceJob& d = job_.attention;
    if (at_ >= d.batch * d.heads * d.seq) return;  // whole warps of the last block
    const int row = at_ % d.seq;
    const RowMask mask = mask_of_head(d, at_ / d.seq);
    first_ = mask.first(row);
    end_ = mask.end(row);
    int low = 0, high = job_.pitch;
    if constexpr (kSkip) {
      const KeyBlocks keys(mask, row / kNaiveRows * kNaiveRows, kNaiveRows, kNaiveKeys);
      low = keys.begin() * kNaiveKeys;
      high = keys.end() * kNaiveKeys < high ? keys.end() * kNaiveKeys : high;
    }
    for (int start = low; start < high; start += kSpan) take(start);
    const float shift = reduce();
    const float share = sum_ > 0.0F ? 1.0F / sum_ : 0.0F;
    for (int start = low; start < high; start += kSpan) {
      if (high - low > kSpan) load(start);
      write(start, high, shift, share);
    }
    if (M::thread() % kRowThreads == 0) d.lse[at_] = sum_ > 0.0F ? most_ * d.scale_log2 * static_cast<float>(kLn2) + M::log(sum_) : -INFINITY;
  }

 private:
  struct alignas(16) Four {
    float x[4];
  };
  struct alignas(8) TwoWords {
    std::uint32_t word[2];
  };

  BS_DEVICE static int column(int start, int i) { return start + (i * kRowThreads + M::thread() % kRowThreads) * 4; }

  /// This thread's scores of the span from `start` on; minus infinity where the row does not see the key.
  BS_DEVICE void load(int start) {
    const float* const scores = job_.scores + static_cast<std::int64_t>(at_) * job_.pitch;
    BS_UNROLL
    for (int i = 0; i < kFours; ++i) {
      const int at = column(start, i);
      Four four = {{-INFINITY, -INFINITY, -INFINITY, -INFINITY}};
      if (at < end_ && at + 4 > first_) four = *reinterpret_cast<const Four*>(scores + at);
      BS_UNROLL
      for (int j = 0; j < 4; ++j) scores_[i].x[j] = at + j >= first_ && at + j < end_ ? capped_score<M>(four.x[j], job_.attention.cap) : -INFINITY;
    }
  }

  BS_DEVICE float shift_for(float most) const { return most == -INFINITY ? 0.0F : most * job_.attention.scale_log2; }
  BS_DEVICE float power(float score, float shift) const { return M::exp2(score * job_.attention.scale_log2 - shift); }

  /// Maximum and sum of this thread's own scores.
  BS_DEVICE void take(int start) {
    load(start);
    float highest = most_;
    BS_UNROLL
    for (int i = 0; i < kFours; ++i) highest = fmaxf(highest, fmaxf(fmaxf(scores_[i].x[0], scores_[i].x[1]), fmaxf(scores_[i].x[2], scores_[i].x[3])));
    const float shift = shift_for(highest);
    float sum = sum_ * power(most_, shift);
    BS_UNROLL
    for (int i = 0; i < kFours; ++i) {
      BS_UNROLL
      for (int j = 0; j < 4; ++j) sum += power(scores_[i].x[j], shift);
    }
    most_ = highest;
    sum_ = sum;
  }

  /// Over the row's threads, all of which learn it.
  template <class F>
  BS_DEVICE static float over_row(float x, float* slots, F&& both) {
    BS_UNROLL
    for (int lanes = 16; lanes > 0; lanes /= 2) x = both(x, M::shuffle_xor(x, lanes));
    if constexpr (kWarps > 1) {
      if (M::thread() % 32 == 0) slots[M::thread() / 32] = x;
      M::sync();
      x = slots[0];
      BS_UNROLL
      for (int warp = 1; warp < kWarps; ++warp) x = both(x, slots[warp]);
    }
    return x;
  }

  /// The row's maximum and sum; returns what its scores are shifted by.
  BS_DEVICE float reduce() {
    float* const slots = kWarps > 1 ? M::shared_floats() : nullptr;
    const float most = over_row(most_, slots, [](float a, float b) { return fmaxf(a, b); });
    const float shift = shift_for(most);
    sum_ = over_row(sum_ * power(most_, shift), slots + kWarps, [](float a, float b) { return a + b; });
    most_ = most;
    return shift;
  }

  BS_DEVICE void write(int start, int high, float shift, float share) const {
    T* const weights = static_cast<T*>(job_.weights) + static_cast<std::int64_t>(at_) * job_.pitch;
    BS_UNROLL
    for (int i = 0; i < kFours; ++i) {
      const int at = column(start, i);
      if (at >= high) continue;
      float w[4];
      BS_UNROLL
      for (int j = 0; j < 4; ++j) w[j] = power(scores_[i].x[j], shift) * share;
      if constexpr (std::is_same_v<T, float>)
        *reinterpret_cast<Four*>(weights + at) = {{w[0], w[1], w[2], w[3]}};
      else
        *reinterpret_cast<TwoWords*>(weights + at) = {{M::template pack<T>(w[0], w[1]), M::template pack<T>(w[2], w[3])}};
    }
  }

  NaiveJob job_;
  int at_;  // row, over batch and heads
  int first_ = 0, end_ = 0;
  float most_ = -INFINITY, sum_ = 0.0F;
  Four scores_[kFours];
};

}  // namespace bench::attention
