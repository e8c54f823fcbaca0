// SPDX-License-Identifier: Apache-2.0
// Which states of the selective scan a device's lane keeps in its registers: of each of its channels every kLanes-th run of four states, so that
// neighbouring lanes read neighbouring 16 bytes of B, C and of (B, C, N) tensors.
#pragma once

#include <cstdint>

#include "kernels/cuda/lanes.hpp"
#include "kernels/scan/selective_job.hpp"

namespace bench::scan {

/// kEach states of each of kRows neighbouring channels a lane, kLanes lanes a channel.
template <int each, int lanes, int rows>
struct LaneShape {
  static constexpr int kEach = each, kLanes = lanes, kRows = rows;
  static constexpr int kThreads = 128;
  static constexpr int kChannels = kThreads / kLanes * kRows;  // of a block
  static constexpr int kStates = kEach * kLanes;               // the most a channel may have
  /// Between two states that a backward pass is left: the steps whose decays and states its lanes then hold, two times 64 registers.
  static constexpr int kMarkSteps = 64 / (kEach * kRows);
  static_assert(kEach % 4 == 0 && kLanes <= 32);
};

/// One lane's states, of the channels that begin at a block's first one.
template <class M, class Shape>
class LaneStates {
  static constexpr int kEach = Shape::kEach, kLanes = Shape::kLanes, kRows = Shape::kRows;

 public:
  using Values = float[kRows][kEach];

  BS_DEVICE LaneStates(const SelectiveJob& job, const SelectivePart& part) : state_(job.state), count_(part.count) {}

  /// The first of this lane's channels in the block.
  BS_DEVICE static int channel() { return M::thread() / kLanes * kRows; }
  /// Where its states 4 i, ... 4 i + 3 of a channel are.
  BS_DEVICE static int place(int i) { return i * 4 * kLanes + M::thread() % kLanes * 4; }

  /// Rows of N numbers, that of the block's first channel at `from`; 0 for what lies behind the last state or channel.
  BS_DEVICE void load(const float* from, Values& x) const {
    BS_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const bool mine = channel() + r < count_;
      const float* const row = from + static_cast<std::int64_t>(channel() + r) * state_;
      BS_UNROLL
      for (int i = 0; i < kEach / 4; ++i) four(row, i, mine, *reinterpret_cast<float(*)[4]>(&x[r][4 * i]));
    }
  }
  BS_DEVICE void store(float* to, const Values& x) const {
    BS_UNROLL
    for (int r = 0; r < kRows; ++r) {
      if (channel() + r >= count_) continue;
      float* const row = to + static_cast<std::int64_t>(channel() + r) * state_;
      BS_UNROLL
      for (int i = 0; i < kEach / 4; ++i) {
        if (state_ % 4 == 0 && place(i) < state_) *reinterpret_cast<cuda::Four*>(row + place(i)) = {x[r][4 * i], x[r][4 * i + 1], x[r][4 * i + 2], x[r][4 * i + 3]};
        if (state_ % 4 == 0) continue;
        BS_UNROLL
        for (int k = 0; k < 4; ++k)
          if (place(i) + k < state_) row[place(i) + k] = x[r][4 * i + k];
      }
    }
  }

  /// This lane's kEach of a row of kStates numbers in shared memory.
  BS_DEVICE static void read(const float* row, float (&x)[kEach]) {
    BS_UNROLL
    for (int i = 0; i < kEach / 4; ++i) {
      const auto got = *reinterpret_cast<const cuda::Four*>(row + place(i));
      BS_UNROLL
      for (int k = 0; k < 4; ++k) x[4 * i + k] = got.x[k];
    }
  }

 private:
  BS_DEVICE void four(const float* row, int i, bool mine, float (&x)[4]) const {
    cuda::Four got = {};
    if (state_ % 4 == 0) {
      if (mine && place(i) < state_) got = *reinterpret_cast<const cuda::Four*>(row + place(i));
    } else {
      BS_UNROLL
      for (int k = 0; k < 4; ++k)
        if (mine && place(i) + k < state_) got.x[k] = row[place(i) + k];
    }
    BS_UNROLL
    for (int k = 0; k < 4; ++k) x[k] = got.x[k];
  }

  int state_, count_;
};

/// Two neighbouring channels of a block, the same ones for all steps that a thread takes where lanes are channels: gates, inputs and outputs.
template <class M, class Shape>
struct LanePair {
  static constexpr int kPairs = Shape::kChannels / 2, kRowsAtOnce = Shape::kThreads / kPairs;

  BS_DEVICE static int channel() { return M::thread() % kPairs * 2; }
  BS_DEVICE static int first_row() { return M::thread() / kPairs; }

  /// Of C numbers, from the block's first channel on.
  BS_DEVICE static void load(const float* from, int count, float (&x)[2]) {
    BS_UNROLL
    for (int i = 0; i < 2; ++i) x[i] = channel() + i < count ? from[channel() + i] : 0.0F;
  }
  /// `row`: the block's first channel of a step.
  template <class T>
  BS_DEVICE static void store(T* row, int count, bool aligned, const float (&x)[2]) {
    if (channel() >= count) return;
    if (aligned) return cuda::write<M, 2>(row + channel(), x);
    row[channel()] = M::template round<T>(x[0]);
    if (channel() + 1 < count) row[channel() + 1] = M::template round<T>(x[1]);
  }
};

}  // namespace bench::scan
