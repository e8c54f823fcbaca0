// SPDX-License-Identifier: Apache-2.0
// One block's work of the selective scan in any of its forms on a device, step by step: some channels of one group of one batch entry, all steps. The body only:
// selective_plain_cuda.cu launches it, and a test runs it on the host.
//
// A lane keeps kEach floats of one channel's states in registers, kLanes lanes a channel (selective_lanes.hpp): complex states are two of them each.
// Steps come by stages of as many as a backward pass holds: d and d u of the block's channels and rows of B and C in shared memory, y out of it. What selective_walk.hpp adds to this are
// copies that run ahead, several channels a lane and sums over lanes for several steps at once.
#pragma once

#include "kernels/scan/lane_turns.hpp"
#include "kernels/scan/selective_plain_job.hpp"

namespace bench::scan {

/// kMarks: no outputs, but the state before every stage, (B, marks, C, N).
template <class M, class T, class Shape, class N, bool kMarks>
class SelectivePlain {
  static constexpr int kStage = Shape::kMarkSteps, kColumn = kStage * Shape::kChannels, kMixer = kStage * Shape::kStates;
  using Lane = LaneStates<M, Shape>;
  using Numbers = LaneNumbers<N, Shape::kEach>;
  static constexpr int kCount = Numbers::kCount;

 public:
  static constexpr int kThreads = Shape::kThreads, kChannels = Shape::kChannels;
  static constexpr int kSharedBytes = (3 * kColumn + 2 * kMixer) * 4;

  static BS_HOST_DEVICE std::int64_t blocks(const SelectivePlainJob& job) { return SelectivePart::blocks(job, kChannels, 1); }

  BS_DEVICE explicit SelectivePlain(const SelectivePlainJob& job) : job_(job), part_(job_, M::block(), kChannels), lane_(job_, part_), b_rows_(M::shared_floats()) {}

  BS_DEVICE void run() {
    start();
    for (std::int64_t first = 0; first < job_.seq; first += kStage) {
      load(first);
      M::sync();  // the stage is here for all
      if constexpr (kMarks) leave(job_.states + ((part_.entry * job_.marks(kStage) + first / kStage) * job_.channels + part_.channel) * job_.state);
      const std::uint32_t starts = starts_from(job_, first);
      BS_NO_UNROLL
      for (int t = 0; t < kStage; ++t) step(t, (starts >> t & 1U) != 0U);
      M::sync();  // all y are here, and nobody reads the stage
      if constexpr (!kMarks) store(first);
    }
    if constexpr (!kMarks) leave(job_.h_last + entry_channel() * job_.state);
  }

 private:
  BS_DEVICE std::int64_t entry_channel() const { return static_cast<std::int64_t>(part_.entry) * job_.channels + part_.channel; }
  BS_DEVICE float* c_rows() const { return b_rows_ + kMixer; }
  BS_DEVICE float* d() const { return c_rows() + kMixer; }  // (steps, channels), as x and y
  BS_DEVICE float* x() const { return d() + kColumn; }
  BS_DEVICE float* y() const { return x() + kColumn; }

  BS_DEVICE void start() {
    float mine[1][Shape::kEach];
    lane_.load(job_.a + static_cast<std::int64_t>(part_.channel) * job_.state, mine);
    Numbers::from(mine[0], a_);
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) a_[k] = as_exponent(a_[k]);
    lane_.load(job_.h0 + entry_channel() * job_.state, mine);
    Numbers::from(mine[0], h_);
    b_.start(lane_, job_.constant_b, job_.b, part_.channel, job_.state);
    c_.start(lane_, job_.constant_c, job_.c, part_.channel, job_.state);
  }

  BS_DEVICE void load(std::int64_t first) const {
    for (int i = M::thread(); i < kColumn; i += kThreads) {
      const int t = i / kChannels, channel = i % kChannels;
      const bool there = first + t < job_.seq && channel < part_.count;
      const std::int64_t at = job_.row(part_.entry, first + t) * job_.channels + part_.channel + channel;
      const float step = there ? softplus<M>(cuda::value<M>(static_cast<const T*>(job_.delta)[at]) + job_.bias[part_.channel + channel]) : 0.0F;
      d()[i] = step;  // 0: a step that is none changes no state
      x()[i] = there ? step * cuda::value<M>(static_cast<const T*>(job_.u)[at]) : 0.0F;
    }
    load_mixer<M, T, Shape, kStage>(job_, part_, job_.constant_b, job_.b, first, b_rows_);
    if constexpr (!kMarks) load_mixer<M, T, Shape, kStage>(job_, part_, job_.constant_c, job_.c, first, c_rows());
  }

  BS_DEVICE void step(int t, bool begins) {
    const int at = t * kChannels + Lane::channel();
    N b[kCount], c[kCount];
    b_.get(b_rows_ + t * Shape::kStates, b);
    if constexpr (!kMarks) c_.get(c_rows() + t * Shape::kStates, c);
    float sum_ch[1] = {0.0F};
    BS_UNROLL
    for (int k = 0; k < kCount; ++k) {
      const N before = begins ? N{} : h_[k];
      h_[k] = sum(product(lane_decay<M>(d()[at], a_[k]), before), scaled(x()[at], b[k]));
      if constexpr (!kMarks) sum_ch[0] += mixed_out(c[k], h_[k]);
    }
    if constexpr (!kMarks) {
      cuda::sum_across<M, 1, Shape::kLanes, 1>(sum_ch);
      if (M::thread() % Shape::kLanes == 0) y()[at] = sum_ch[0];
    }
  }

  /// y is written again behind the next stage's first barrier only.
  BS_DEVICE void store(std::int64_t first) const {
    for (int i = M::thread(); i < kColumn; i += kThreads) {
      const int t = i / kChannels, channel = i % kChannels;
      if (first + t >= job_.seq || channel >= part_.count) continue;
      const std::int64_t at = job_.row(part_.entry, first + t) * job_.channels + part_.channel + channel;
      const float u = cuda::value<M>(static_cast<const T*>(job_.u)[at]), z = cuda::value<M>(static_cast<const T*>(job_.z)[at]);
      static_cast<T*>(job_.out)[at] = M::template round<T>((y()[i] + job_.skip[part_.channel + channel] * u) * (z * sigmoid<M>(z)));
    }
  }

  BS_DEVICE void leave(float* to) const {
    float mine[1][Shape::kEach];
    Numbers::to(h_, mine[0]);
    lane_.store(to, mine);
  }

  SelectivePlainJob job_;
  SelectivePart part_;
  Lane lane_;
  LaneMixer<M, Shape, N> b_, c_;
  typename Numbers::Values a_, h_;  // a as lane_decay has it
  float* b_rows_;                   // the block's shared memory
};

}  // namespace bench::scan
