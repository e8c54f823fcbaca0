// SPDX-License-Identifier: Apache-2.0
// One block's work of Mamba-2's scan step by step on a device's ordinary lanes, in fp32: 64 elements of one head of one batch entry, all steps. The body
// only: ssd_plain_cuda.cu launches it, and a test runs it on the host.
//
// A thread keeps states of two neighbouring elements, four neighbours in every 4 kLanes of them: 2 kEach numbers in registers. kLanes threads share an
// element and add up its y by shuffles. Steps come by kStage: x, B, C and the decays into shared memory, y out of it.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_plain_step.hpp"

namespace bench::scan {

template <class M, class T, int kEach, int kLanes = 4>
class SsdPlain {
  static constexpr int kStates = kLanes * kEach, kStage = 16;

 public:
  static constexpr int kElements = 64, kThreads = kElements / 2 * kLanes;
  static constexpr int kSharedBytes = kStage * (2 * kStates + 2 * kElements + 3) * 4;
  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return job.all_heads() * job.parts(kElements); }

  BS_DEVICE explicit SsdPlain(const SsdJob& job) : job_(job), at_(job, M::block(), kElements), b_(M::shared_floats()) {}

  BS_DEVICE void run() {
    for_each_state([&](float& h, bool there, std::int64_t at) { h = there ? job_.h0[at] : 0.0F; });
    for (int t0 = 0; t0 < job_.seq; t0 += kStage) {
      const int steps = job_.seq - t0 < kStage ? job_.seq - t0 : kStage;
      load(t0, steps);
      M::sync();  // the stage is here for all
      for (int s = 0; s < steps; ++s) step(s);
      M::sync();  // all y are here, and nobody reads the stage
      store(t0, steps);
    }
    for_each_state([&](const float& h, bool there, std::int64_t at) {
      if (there) job_.h_last[at] = h;
    });
  }

 private:
  struct alignas(16) Four {
    float x[4];
  };
  BS_DEVICE static int element() { return M::thread() / kLanes * 2; }
  BS_DEVICE static int state(int i) { return (i / 4 * kLanes + M::thread() % kLanes) * 4 + i % 4; }
  BS_DEVICE float* c() const { return b_ + kStage * kStates; }
  BS_DEVICE float* x() const { return c() + kStage * kStates; }
  BS_DEVICE float* y() const { return x() + kStage * kElements; }
  BS_DEVICE float* d() const { return y() + kStage * kElements; }
  BS_DEVICE float* decay() const { return d() + kStage; }
  BS_DEVICE float* begins() const { return decay() + kStage; }  // not 0 where a packed sequence does

  template <class F>
  BS_DEVICE void for_each_state(F&& f) {
    BS_UNROLL
    for (int e = 0; e < 2; ++e) {
      BS_UNROLL
      for (int i = 0; i < kEach; ++i)
        f(h_[e][i], element() + e < at_.elements && state(i) < job_.state, at_.of_states(job_) + static_cast<std::int64_t>(element() + e) * job_.state + state(i));
    }
  }

  BS_DEVICE void load(int t0, int steps) const {
    const T *const b = static_cast<const T*>(job_.b), *const c_from = static_cast<const T*>(job_.c), *const x_from = static_cast<const T*>(job_.x);
    for (int i = M::thread(); i < steps * kStates; i += kThreads) {
      const int s = i / kStates, n = i % kStates;
      const std::int64_t from = at_.of_groups(job_, t0 + s) + n;
      b_[i] = n < job_.state ? cuda::value<M>(b[from]) : 0.0F;
      c()[i] = n < job_.state ? cuda::value<M>(c_from[from]) : 0.0F;
    }
    for (int i = M::thread(); i < steps * kElements; i += kThreads) {
      const int s = i / kElements, e = i % kElements;
      x()[i] = e < at_.elements ? cuda::value<M>(x_from[at_.of_heads(job_, t0 + s) + e]) : 0.0F;
    }
    const int s = M::thread();
    if (s >= steps) return;
    const auto step = plain_step<M, T>(job_, at_, t0 + s);
    d()[s] = step.d;
    decay()[s] = step.decay;
    begins()[s] = step.begins;
  }

  BS_DEVICE void step(int s) {
    if (begins()[s] != 0.0F) for_each_state([](float& h, bool, std::int64_t) { h = 0.0F; });
    const float left = decay()[s], x0 = x()[s * kElements + element()], x1 = x()[s * kElements + element() + 1];
    const float in[2] = {d()[s] * x0, d()[s] * x1};
    float sum[2] = {};
    BS_UNROLL
    for (int i = 0; i < kEach; i += 4) {
      const Four b = *reinterpret_cast<const Four*>(b_ + s * kStates + state(i)), c_at = *reinterpret_cast<const Four*>(c() + s * kStates + state(i));
      BS_UNROLL
      for (int k = 0; k < 4; ++k) {
        BS_UNROLL
        for (int e = 0; e < 2; ++e) {
          float& h = h_[e][i + k];
          h = left * h + in[e] * b.x[k];
          sum[e] += h * c_at.x[k];
        }
      }
    }
    BS_UNROLL
    for (int e = 0; e < 2; ++e) {
      BS_UNROLL
      for (int lanes = 1; lanes < kLanes; lanes *= 2) sum[e] += M::shuffle_xor(sum[e], lanes);
      if (M::thread() % kLanes == 0) y()[s * kElements + element() + e] = sum[e];
    }
  }

  /// A thread reads of x what it has written itself and writes next, so that load() may follow at once.
  BS_DEVICE void store(int t0, int steps) const {
    const float skip = job_.skip[at_.head];
    for (int i = M::thread(); i < steps * kElements; i += kThreads) {
      const int s = i / kElements, e = i % kElements;
      if (e >= at_.elements) continue;
      const std::int64_t to = at_.of_heads(job_, t0 + s) + e;
      float out = y()[i] + skip * x()[i];
      if (job_.z != nullptr) out *= cuda::silu<M>(cuda::value<M>(static_cast<const T*>(job_.z)[to]));
      static_cast<T*>(job_.out)[to] = M::template round<T>(out);
    }
  }

  SsdJob job_;
  SsdPlace at_;
  float* b_;
  float h_[2][kEach];
};

}  // namespace bench::scan
