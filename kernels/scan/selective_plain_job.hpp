// SPDX-License-Identifier: Apache-2.0
// What a device's plain kernels of the selective scan are told, which take all of its forms, and how a lane's floats are numbers.
#pragma once

#include "kernels/scan/recurrence_number.hpp"
#include "kernels/scan/selective_back_job.hpp"
#include "kernels/scan/selective_lanes.hpp"

namespace bench::scan {

/// As the other kernels' job, but `state` counts floats: two for each complex state, side by side in all tensors that have states. The forward pass
/// leaves what belongs to the backward one alone. Constant B, C: (C, N) in fp32; then db, dc are (B, C, N), an entry each.
struct SelectivePlainJob : SelectiveBackJob {
  bool constant_b, constant_c;
};

/// What `job` is for those kernels.
inline SelectivePlainJob selective_plain_job(const SelectiveProblem& p, const SelectiveJob& job) {
  SelectivePlainJob plain{};
  static_cast<SelectiveJob&>(plain) = job;
  plain.state = static_cast<int>(p.state * p.parts());
  plain.constant_b = p.constant_b;
  plain.constant_c = p.constant_c;
  return plain;
}

/// kEach floats of a lane as numbers N, float or ComplexNumber.
template <class N, int kEach>
struct LaneNumbers {
  static constexpr int kParts = sizeof(N) / sizeof(float), kCount = kEach / kParts;
  using Values = N[kCount];

  BS_DEVICE static void from(const float (&x)[kEach], Values& numbers) {
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) {
      if constexpr (kParts == 2)
        numbers[k] = {x[2 * k], x[2 * k + 1]};
      else
        numbers[k] = x[k];
    }
  }
  /// Adds a number's parts to two of the floats, or to one.
  BS_DEVICE static void add(float (&x)[kEach], int k, N number) {
    if constexpr (kParts == 2) {
      x[2 * k] += number.re;
      x[2 * k + 1] += number.im;
    } else {
      x[k] += number;
    }
  }
  BS_DEVICE static void to(const Values& numbers, float (&x)[kEach]) {
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) x[k] = 0.0F;
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) add(x, k, numbers[k]);
  }
};

/// B or C, as a lane has it of a step: its part of the group's row in shared memory, or of its channel's own, which stays in registers.
template <class M, class Shape, class N>
class LaneMixer {
  using Lane = LaneStates<M, Shape>;
  using Numbers = LaneNumbers<N, Shape::kEach>;

 public:
  using Values = typename Numbers::Values;

  /// `channels`: the block's first channel's row of constants.
  BS_DEVICE void start(const Lane& lane, bool constant, const void* rows, int channel, int state) {
    constant_ = constant;
    if (!constant) return;
    float mine[1][Shape::kEach];
    lane.load(static_cast<const float*>(rows) + static_cast<std::int64_t>(channel) * state, mine);
    Numbers::from(mine[0], own_);
  }
  BS_DEVICE bool constant() const { return constant_; }
  BS_DEVICE void get(const float* row, Values& numbers) const {
    if (constant_) {
      BS_UNROLL
      for (int k = 0; k < Numbers::kCount; ++k) numbers[k] = own_[k];
    } else {
      float mine[Shape::kEach];
      Lane::read(row, mine);
      Numbers::from(mine, numbers);
    }
  }

 private:
  bool constant_;
  Values own_;
};

/// Rows of kStates floats of B or C, from a step on, to shared memory; zeros behind the last step and state. Nothing of constant ones.
template <class M, class T, class Shape, int kSteps>
BS_DEVICE void load_mixer(const SelectiveJob& job, const SelectivePart& part, bool constant, const void* from, std::int64_t first, float* to) {
  if (constant) return;
  for (int i = M::thread(); i < kSteps * Shape::kStates; i += Shape::kThreads) {
    const int t = i / Shape::kStates, n = i % Shape::kStates;
    const bool there = first + t < job.seq && n < job.state;
    to[i] = there ? cuda::value<M>(static_cast<const T*>(from)[(job.row(part.entry, first + t) * job.groups + part.group) * job.state + n]) : 0.0F;
  }
}

/// Bit t: a packed sequence begins at step first + t; of a stage's steps, which divide a word's.
BS_DEVICE std::uint32_t starts_from(const SelectiveJob& job, std::int64_t first) {
  return job.starts == nullptr ? 0U : job.starts[first / kStartBits] >> (first % kStartBits);
}

}  // namespace bench::scan
