// SPDX-License-Identifier: Apache-2.0
// The states before every chunk of kSsdBwdSteps steps, or the gradients of those behind, by the recurrence as it is written, in fp32 on a device's ordinary
// lanes. The body only: ssd_plain_bwd_cuda.cu launches it both ways, and a test runs it on the host.
//
// Towards the end S <- e_t S + d_t x_t B_t^T, towards the beginning R <- e_t (R + dY_t C_t^T). A thread keeps four elements' four neighbouring states through all
// steps; nothing is summed over states or elements, so nothing is exchanged. Steps come by kStage.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_bwd_job.hpp"
#include "kernels/scan/ssd_plain_step.hpp"

namespace bench::scan {

template <class M, class T, int kLanes, Towards kTowards>
class SsdPlainMarks {
  static constexpr int kStates = kLanes * 4, kStage = 16;
  static constexpr bool kForwards = kTowards == Towards::end;
  static_assert(kSsdBwdSteps % kStage == 0, "a chunk begins where a stage does");

 public:
  static constexpr int kThreads = kLanes < 8 ? kLanes * 16 : 128;  // 64 elements at most
  static constexpr int kElements = kThreads / kLanes * 4;
  static constexpr int kSharedBytes = kStage * (kStates + kElements + 3) * 4;
  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return job.all_heads() * job.parts(kElements); }

  BS_DEVICE explicit SsdPlainMarks(const SsdJob& job) : job_(job), at_(job, M::block(), kElements), mixers_(M::shared_floats()) {}

  /// `from`, `to` (B, H, P, N): the state before the first step and behind the last one, or its gradient behind the last one and before the first.
  BS_DEVICE void run(const float* from, float* to) {
    for_each_state([&](float& h, bool there, std::int64_t at) { h = there ? from[at] : 0.0F; });
    const int stages = job_.chunks(kStage);
    for (int i = 0; i < stages; ++i) {
      const int t0 = (kForwards ? i : stages - 1 - i) * kStage, steps = job_.seq - t0 < kStage ? job_.seq - t0 : kStage;
      if (at_edge(t0)) leave(t0 / kSsdBwdSteps);
      load(t0, steps);
      M::sync();  // the stage is here for all
      for (int s = 0; s < steps; ++s) step(kForwards ? s : steps - 1 - s);
      M::sync();  // nobody reads the stage
    }
    for_each_state([&](const float& h, bool there, std::int64_t at) {
      if (there) to[at] = h;
    });
  }

 private:
  BS_DEVICE static int element() { return M::thread() / kLanes * 4; }
  BS_DEVICE static int state() { return M::thread() % kLanes * 4; }
  BS_DEVICE float* column() const { return mixers_ + kStage * kStates; }  // x or dY
  BS_DEVICE float* d() const { return column() + kStage * kElements; }
  BS_DEVICE float* decay() const { return d() + kStage; }
  BS_DEVICE float* begins() const { return decay() + kStage; }

  template <class F>
  BS_DEVICE void for_each_state(F&& f) {
    BS_UNROLL
    for (int i = 0; i < 16; ++i) {
      const int e = element() + i / 4, n = state() + i % 4;
      f(h_[i / 4][i % 4], e < at_.elements && n < job_.state, at_.of_states(job_) + static_cast<std::int64_t>(e) * job_.state + n);
    }
  }

  /// Whether the stage is the first of a chunk that the pass meets.
  BS_DEVICE bool at_edge(int t0) const { return kForwards ? t0 % kSsdBwdSteps == 0 : (t0 + kStage) % kSsdBwdSteps == 0 || t0 + kStage >= job_.seq; }
  BS_DEVICE void leave(int chunk) {
    float* const to = job_.states + chunk * job_.all_states();
    for_each_state([&](const float& h, bool there, std::int64_t at) {
      if (there) to[at] = h;
    });
  }

  BS_DEVICE void load(int t0, int steps) const {
    const T* const mixers = static_cast<const T*>(kForwards ? job_.b : job_.c);
    for (int i = M::thread(); i < steps * kStates; i += kThreads) {
      const int n = i % kStates;
      mixers_[i] = n < job_.state ? cuda::value<M>(mixers[at_.of_groups(job_, t0 + i / kStates) + n]) : 0.0F;
    }
    for (int i = M::thread(); i < steps * kElements; i += kThreads) {
      const int e = i % kElements;
      const std::int64_t from = at_.of_heads(job_, t0 + i / kElements) + e;
      column()[i] = e >= at_.elements ? 0.0F : kForwards ? cuda::value<M>(static_cast<const T*>(job_.x)[from]) : ungated<M, T>(job_, from);
    }
    if (M::thread() >= steps) return;
    const auto now = plain_step<M, T>(job_, at_, t0 + M::thread());
    d()[M::thread()] = now.d;
    decay()[M::thread()] = now.decay;
    begins()[M::thread()] = now.begins;
  }

  BS_DEVICE void step(int s) {
    const float left = decay()[s], scale = kForwards ? d()[s] : 1.0F;
    const bool clears = begins()[s] != 0.0F;
    const auto mixer = *reinterpret_cast<const cuda::Four*>(mixers_ + s * kStates + state()), in = *reinterpret_cast<const cuda::Four*>(column() + s * kElements + element());
    if (kForwards && clears) clear();
    BS_UNROLL
    for (int i = 0; i < 16; ++i) {
      float& h = h_[i / 4][i % 4];
      const float more = scale * in.x[i / 4] * mixer.x[i % 4];
      h = kForwards ? left * h + more : left * (h + more);
    }
    if (!kForwards && clears) clear();
  }
  BS_DEVICE void clear() {
    for_each_state([](float& h, bool, std::int64_t) { h = 0.0F; });
  }

  SsdJob job_;
  SsdPlace at_;
  float* mixers_;
  float h_[4][4];
};

}  // namespace bench::scan
