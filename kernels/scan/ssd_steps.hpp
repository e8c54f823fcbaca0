// SPDX-License-Identifier: Apache-2.0
// The decays of a chunk of kSteps steps of one head as a tensor-core kernel needs them, by one warp.
//
// Let a_t = d_t A log2(e), so that a step's decay is 2^a_t. What lies between two steps is never a difference of sums over the chunk: |S| grows to
// thousands, and S_i - S_j would lose the digits of a short step behind a long one. Sums begin anew every 16 steps, the rows of a tensor core's tile:
// from j to i of a later sixteen it is (i's own sum from its sixteen's first step on) + (the sixteens between) + (what is left of j's), all of one sign.
// Inside a sixteen it is a difference, clamped to 0 from above (Mamba #713), of sums up to 16 kLeast.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/swizzle.hpp"
#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

inline constexpr int kSixteen = 16;
/// No step decays by less: 2^-160 is 0 in fp32, and longer steps would cost their neighbours digits.
inline constexpr float kLeast = -160.0F;

/// Where the numbers of a chunk lie, in shared memory. Steps behind the last one have d = 0 and no decay.
template <int kSteps>
struct SsdScales {
  static constexpr int kFloats = 7 * kSteps + 4, kBackFloats = 9 * kSteps + 4;  // the last two rows are a backward pass's
  float* base;

  BS_DEVICE float& carry() const { return base[0]; }   // what is left at the end of the state before
  BS_DEVICE float& packed() const { return base[1]; }  // not 0: a sequence begins behind the chunk's first step
  BS_DEVICE float& within(int t) const { return row(0, t); }    // sum of a over t's sixteen, up to t
  BS_DEVICE float& behind(int t) const { return row(1, t); }    // the same behind t, + log2(d_t)
  BS_DEVICE float& log_step(int t) const { return row(2, t); }  // log2(d_t)
  BS_DEVICE float& enter(int t) const { return row(3, t); }     // what is left at t of the state before the chunk
  BS_DEVICE float& leave(int t) const { return row(4, t); }     // d_t times what is left of step t at the chunk's end
  BS_DEVICE float& step(int t) const { return row(5, t); }      // d_t
  BS_DEVICE float& origin(int t) const { return row(6, t); }    // the first step of the chunk that t depends on
  BS_DEVICE float& rest(int t) const { return row(7, t); }      // behind without log2(d_t)
  BS_DEVICE float& exit(int t) const { return row(8, t); }      // leave without d_t
  /// Sum of a over sixteen number k.
  BS_DEVICE float sixteen(int k) const { return within(k * kSixteen + kSixteen - 1); }

 private:
  BS_DEVICE float& row(int i, int t) const { return base[4 + i * kSteps + t]; }
};

/// Bytes for that many numbers in front of tiles.
constexpr int ssd_scale_bytes(int floats) {
  return (floats * 4 + cuda::kTileAlignment_bytes - 1) / cuda::kTileAlignment_bytes * cuda::kTileAlignment_bytes;
}

/// Sums over the lanes of a warp before and behind this one, and over those of the same `few` neighbours.
struct LaneSums {
  float before, behind, before_of_few, behind_of_few;
};
/// A butterfly: the partners' total lies before or behind.
template <class M>
BS_DEVICE LaneSums sums_around(float total, int few = 32) {
  LaneSums sums{};
  BS_UNROLL
  for (int lanes = 1; lanes < 32; lanes *= 2) {
    if (lanes == few) sums.before_of_few = sums.before, sums.behind_of_few = sums.behind;
    const float other = M::shuffle_xor(total, lanes);
    if ((M::thread() & lanes) != 0)
      sums.before += other;
    else
      sums.behind += other;
    total += other;
  }
  return sums;
}

/// Called by the 32 lanes of a warp: ask() begins to read a chunk's steps, write() needs them.
template <class M, class T, int kSteps, bool kBack = false>
class SsdSteps {
 public:
  static constexpr int kEach = kSteps / 32;  // neighbouring steps a lane
  static_assert(kEach >= 2 && kEach <= 8, "a sixteen has at least two lanes, and not all of them");

  BS_DEVICE void ask(const SsdJob& job, const SsdPlace& at, int first_step) {
    t0_ = first_step;
    const int end = job.seq - t0_ < kSteps ? job.seq - t0_ : kSteps;
    end_ = end;
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      const int t = lane() * kEach + k;
      raw_[k] = t < end ? cuda::value<M>(static_cast<const T*>(job.dt)[at.of_steps(job, t0_ + t)]) : 0.0F;
      first_[k] = t < end && job.first != nullptr ? job.first[t0_ + t] : -1;
    }
    last_first_ = job.first != nullptr ? job.first[t0_ + end - 1] : -1;
  }

  BS_DEVICE void write(const SsdJob& job, const SsdPlace& at, const SsdScales<kSteps>& to) const {
    const float a = job.a[at.head] * kLog2E, bias = job.bias[at.head];
    float d[kEach], sum[kEach], total = 0.0F;  // sum: of the lane's steps up to this one
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      const bool there = lane() * kEach + k < end_;
      d[k] = there ? step_of<M>(raw_[k] + bias, job.low, job.high) : 0.0F;
      total += there ? fmaxf(d[k] * a, kLeast) : 0.0F;
      sum[k] = total;
    }
    float rest[kEach], left = 0.0F;  // sum of those behind it
    BS_UNROLL
    for (int k = kEach - 1; k >= 0; --k) {
      rest[k] = left;
      left += lane() * kEach + k < end_ ? fmaxf(d[k] * a, kLeast) : 0.0F;
    }
    const LaneSums all = sums_around<M>(total, kSixteen / kEach);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      const int t = lane() * kEach + k;
      const float log_step = d[k] > 0.0F ? log2f(d[k]) : -INFINITY;
      to.within(t) = all.before_of_few + sum[k];
      to.behind(t) = all.behind_of_few + rest[k] + log_step;
      to.log_step(t) = log_step;
      to.enter(t) = first_[k] >= t0_ ? 0.0F : M::exp2(all.before + sum[k]);
      const float exit = last_first_ > t0_ + t ? 0.0F : M::exp2(all.behind + rest[k]);
      to.leave(t) = d[k] * exit;
      to.step(t) = d[k];
      if constexpr (kBack) {
        to.rest(t) = all.behind_of_few + rest[k];
        to.exit(t) = exit;
      }
      to.origin(t) = static_cast<float>(first_[k] > t0_ ? first_[k] - t0_ : 0);
    }
    if (lane() > 0) return;
    to.carry() = last_first_ >= t0_ ? 0.0F : M::exp2(total + all.behind);
    to.packed() = last_first_ > t0_ ? 1.0F : 0.0F;
  }

 private:
  BS_DEVICE static int lane() { return M::thread() % 32; }

  int t0_, end_;
  float raw_[kEach];
  int first_[kEach], last_first_;
};

}  // namespace bench::scan
