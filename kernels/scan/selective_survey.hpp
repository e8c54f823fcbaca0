// SPDX-License-Identifier: Apache-2.0
// What a rank's device finds out about its share of the selective scan before the backward pass: one walk, first step to last, from a state of zero. The bodies only: files
// ending in .cu launch them, and a test runs them on the host.
//
// Both of the share's records come of it at once, as survey_states (selective_bwd_stages.hpp) has it on hosts: the state that the steps leave, and the gradient that leaves the
// first step when none enters behind the last. That is the sum of w_t gy_t C_t with w_t the product of all decays up to step t, so it needs no exponential more and no second
// walk. On its way the walk leaves the states and the sums of d before every tile (as Walk::marks the states): once the state before the share is known, exp(A sum d) of it is
// added to each, an exponential for every kMarkSteps steps and state.
#pragma once

#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/selective_back_job.hpp"
#include "kernels/scan/selective_lanes.hpp"
#include "kernels/scan/selective_tiles.hpp"

namespace bench::scan {

/// Sums of d are kForgets where a packed sequence began since the share did.
struct SelectiveSurveyJob : SelectiveBackJob {
  float* mark_sums;           // (B, marks, C), of the steps before each of `states`
  float* sums;                // (B, C)
  float *ends, *gradients;    // (B, C, N): the state behind the share, the gradient before it
  std::int64_t marks_a_row;
};

template <class M, class T, class Shape>
class SelectiveSurvey {
  static constexpr int kEach = Shape::kEach, kLanes = Shape::kLanes, kStates = Shape::kStates, kSteps = Shape::kMarkSteps;
  static_assert(Shape::kRows == 1);
  using Pair = LanePair<M, Shape>;
  using Lane = LaneStates<M, Shape>;
  using Tiles = SelectiveTiles<M, T, Shape::kThreads, kSteps, Shape::kChannels, kStates, 4, 2>;
  static constexpr int kSlots = Tiles::kBytes, kMixed = kSlots + kSteps * Shape::kChannels * 16;

 public:
  static constexpr int kThreads = Shape::kThreads, kChannels = Shape::kChannels;
  static constexpr int kSharedBytes = kMixed + 2 * kSteps * kStates * 4;

  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveJob& job) { return SelectivePart::blocks(job, kChannels, 1); }

  BS_DEVICE explicit SelectiveSurvey(const SelectiveSurveyJob& job) : job_(job), part_(job, M::block(), kChannels), lane_(job_, part_) {}

  BS_DEVICE void run() {
    start();
    fetch(0, 0);
    int tile = 0;
    for (std::int64_t first = 0; first < job_.seq; first += kSteps, tile ^= 1) {
      M::template wait<0>();
      M::sync();
      prepare(tile, first);
      M::sync();
      if (first + kSteps < job_.seq) fetch(tile ^ 1, first + kSteps);
      leave_mark(first / kSteps);
      walk(first);
    }
    lane_.store(job_.ends + entry_channel() * job_.state, h_);
    lane_.store(job_.gradients + entry_channel() * job_.state, gradient_);
    if (speaks()) job_.sums[entry_channel() + Lane::channel()] = sum();
  }

 private:
  BS_DEVICE std::int64_t entry_channel() const { return static_cast<std::int64_t>(part_.entry) * job_.channels + part_.channel; }
  /// For its channel.
  BS_DEVICE bool speaks() const { return M::thread() % kLanes == 0 && Lane::channel() < part_.count; }
  BS_DEVICE float sum() const { return forgot_ ? kForgets<float> : sum_; }

  BS_DEVICE void start() {
    lane_.load(job_.a + static_cast<std::int64_t>(part_.channel) * job_.state, a_);
    Pair::load(job_.bias + part_.channel, part_.count, bias_);
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) {
      a_[0][k] *= kLog2E;
      h_[0][k] = gradient_[0][k] = 0.0F;
      weight_[k] = 1.0F;
    }
  }

  BS_DEVICE void fetch(int tile, std::int64_t first) const {
    Tiles::fetch(M::shared(), job_, part_, tile, first, {job_.u, job_.delta, job_.z, job_.dout}, {job_.b, job_.c});
  }

  /// d, d u and the gradient before the gate, of a step and channel.
  BS_DEVICE static float* slot(int step, int channel) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kSlots)) + (step * kChannels + channel) * 4; }
  /// B (0) or C (1) of a step.
  BS_DEVICE static float* mixed(int which, int step) { return reinterpret_cast<float*>(M::shared_place(M::shared() + kMixed)) + (which * kSteps + step) * kStates; }

  BS_DEVICE void column(int tile, int which, int step, float (&x)[2]) const { cuda::read<M>(Tiles::column(M::shared(), tile, which) + step * kChannels + Pair::channel(), x); }

  BS_DEVICE void prepare(int tile, std::int64_t first) const {
    for (int t = Pair::first_row(); t < kSteps; t += Pair::kRowsAtOnce) {
      float u[2], v[2], z[2], dout[2];
      column(tile, 0, t, u);
      column(tile, 1, t, v);
      column(tile, 2, t, z);
      column(tile, 3, t, dout);
      BS_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float d = first + t < job_.seq ? softplus<M>(v[i] + bias_[i]) : 0.0F;  // a step that is none changes no state and no gradient
        *reinterpret_cast<cuda::Four*>(slot(t, Pair::channel() + i)) = {d, d * u[i], dout[i] * (z[i] * sigmoid<M>(z[i])), 0.0F};
      }
    }
    BS_UNROLL
    for (int which = 0; which < 2; ++which)
      for (int i = M::thread(); i < kSteps * kStates; i += kThreads)
        mixed(which, 0)[i] = i % kStates < job_.state ? cuda::value<M>(Tiles::mixer(M::shared(), tile, which)[i]) : 0.0F;
  }

  BS_DEVICE void leave_mark(std::int64_t mark) const {
    const std::int64_t row = (part_.entry * job_.marks(kSteps) + mark) * job_.channels + part_.channel;
    lane_.store(job_.states + row * job_.state, h_);
    if (speaks()) job_.mark_sums[row + Lane::channel()] = sum();
  }

  BS_DEVICE void walk(std::int64_t first) {
    const std::uint32_t starts = job_.starts == nullptr ? 0U : job_.starts[first / kStartBits] >> (first % kStartBits);
    float sum = 0.0F;  // of a tile first, as many plain additions would lose digits
    if (starts == 0U)
      steps<false>(0U, sum);
    else
      steps<true>(starts, sum);
    sum_ += sum;
  }

  template <bool kStarts>
  BS_DEVICE void steps(std::uint32_t starts, float& sum) {
    BS_UNROLL_BY(4)
    for (int t = 0; t < kSteps; ++t) {
      if (kStarts && (starts >> t & 1U) != 0U) forget();
      const auto now = *reinterpret_cast<const cuda::Four*>(slot(t, Lane::channel()));
      const float d = now.x[0], x = now.x[1], gy = now.x[2];
      float b[kEach], c[kEach];
      Lane::read(mixed(0, t), b);
      Lane::read(mixed(1, t), c);
      sum += d;
      BS_UNROLL
      for (int k = 0; k < kEach; ++k) {
        const float decay = M::exp2(d * a_[0][k]);
        h_[0][k] = decay * h_[0][k] + x * b[k];
        weight_[k] *= decay;
        gradient_[0][k] += weight_[k] * (gy * c[k]);
      }
    }
  }

  BS_DEVICE void forget() {
    forgot_ = true;
    BS_UNROLL
    for (int k = 0; k < kEach; ++k) h_[0][k] = weight_[k] = 0.0F;
  }

  SelectiveSurveyJob job_;
  SelectivePart part_;
  Lane lane_;
  float a_[1][kEach], h_[1][kEach], gradient_[1][kEach], weight_[kEach];  // a log2(e)
  float bias_[2], sum_ = 0.0F;
  bool forgot_ = false;
};

/// The states before every so many steps, from those that a survey left, by the state before the share (h0): a lane a state of one of them.
template <class M>
struct SelectiveSettle {
  static constexpr int kThreads = 128;
  static BS_HOST_DEVICE std::int64_t blocks_a_mark(const SelectiveSurveyJob& job) { return ((job.row_end - job.row0) * job.state + kThreads - 1) / kThreads; }
  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveSurveyJob& job) { return blocks_a_mark(job) * job.marks_a_row; }

  static BS_DEVICE void run(const SelectiveSurveyJob& job) {
    const std::int64_t mark = M::block() / blocks_a_mark(job), each = static_cast<std::int64_t>(job.channels) * job.state;
    const std::int64_t i = job.row0 * job.state + M::block() % blocks_a_mark(job) * kThreads + M::thread();
    if (i >= job.row_end * job.state) return;
    const std::int64_t row = (i / each * job.marks_a_row + mark) * job.channels + i % each / job.state;
    const float sum = job.mark_sums[row];
    if (sum != kForgets<float>) job.states[row * job.state + i % job.state] += M::exp2(job.a[i % each] * kLog2E * sum) * job.h0[i];
  }
};

}  // namespace bench::scan
