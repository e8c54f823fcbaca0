// SPDX-License-Identifier: Apache-2.0
// What is left of the ssd op's backward pass on a device behind its main kernel: ddt, the sums over steps (dA, dD, ddt_bias) and over shares of heads (dB,
// dC), all in a fixed order. The bodies only.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_bwd_job.hpp"

namespace bench::scan {

/// ddt of kSsdBwdSpan steps of one head, and their part of the sums over steps.
template <class M, class T>
class SsdBwdSteps {
 public:
  static constexpr int kThreads = 128;
  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return job.all_heads() * job.spans(); }

  BS_DEVICE static void run(const SsdBwdJob& job) {
    const int head = M::block() % job.heads, span = M::block() / job.heads % job.spans(), entry = M::block() / job.heads / job.spans();
    const int parts = job.parts(kSsdBwdElements), begin = span * kSsdBwdSpan, end = begin + kSsdBwdSpan < job.seq ? begin + kSsdBwdSpan : job.seq;
    const SsdStepSums* const from = job.sums + (static_cast<std::int64_t>(entry) * job.heads + head) * parts * job.seq;
    const float a = job.a[head], bias = job.bias[head];
    float total[3] = {};
    for (int t = begin + M::thread(); t < end; t += kThreads) {
      SsdStepSums sums{};
      for (int part = 0; part < parts; ++part) {
        const SsdStepSums more = from[static_cast<std::int64_t>(part) * job.seq + t];
        sums = {sums.w + more.w, sums.u + more.u, sums.skip + more.skip};
      }
      const std::int64_t at = (static_cast<std::int64_t>(entry) * job.seq + t) * job.heads + head;
      const float v = cuda::value<M>(static_cast<const T*>(job.dt)[at]) + bias, d = step_of<M>(v, job.low, job.high);
      const float slope = !(job.low < d && d < job.high) ? 0.0F : sigmoid<M>(v);
      const float ddt = (sums.w + a * sums.u) * slope;
      static_cast<T*>(job.ddt)[at] = M::template round<T>(ddt);
      total[0] += ddt;
      total[1] += d * sums.u;
      total[2] += sums.skip;
    }
    leave(job, total);
  }

 private:
  /// The block's sums, at the block's own number.
  BS_DEVICE static void leave(const SsdBwdJob& job, float (&total)[3]) {
    float* const rows = M::shared_floats();  // (3, warps)
    BS_UNROLL
    for (int i = 0; i < 3; ++i) {
      BS_UNROLL
      for (int lanes = 16; lanes > 0; lanes /= 2) total[i] += M::shuffle_xor(total[i], lanes);
      if (M::thread() % 32 == 0) rows[i * kWarps + M::thread() / 32] = total[i];
    }
    M::sync();  // all warps' sums are here
    if (M::thread() > 0) return;
    float all[3] = {};
    for (int i = 0; i < 3 * kWarps; ++i) all[i / kWarps] += rows[i];
    job.span_sums[M::block()] = {all[0], all[1], all[2]};
  }

 public:
  static constexpr int kWarps = kThreads / 32, kSharedBytes = 3 * kWarps * 4;
};

/// dA, dD and ddt_bias of one head: a warp over entries and spans.
template <class M>
struct SsdBwdSums {
  static constexpr int kThreads = 32;
  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return job.heads; }

  BS_DEVICE static void run(const SsdBwdJob& job) {
    const int head = M::block();
    float total[3] = {};
    for (int i = M::thread(); i < job.batch * job.spans(); i += kThreads) {
      const SsdStepSums more = job.span_sums[static_cast<std::int64_t>(i) * job.heads + head];
      total[0] += more.w;
      total[1] += more.u;
      total[2] += more.skip;
    }
    BS_UNROLL
    for (int i = 0; i < 3; ++i) {
      BS_UNROLL
      for (int lanes = 16; lanes > 0; lanes /= 2) total[i] += M::shuffle_xor(total[i], lanes);
    }
    if (M::thread() > 0) return;
    job.dbias[head] = total[0];
    job.da[head] = total[1];
    job.dskip[head] = total[2];
  }
};

/// dB and dC as the sums of their shares; four elements a thread that lie a block's threads apart, as a share of any size begins anywhere.
template <class M>
struct SsdBwdMixers {
  static constexpr int kThreads = 256, kEach = 4;
  static BS_HOST_DEVICE int blocks(const SsdBwdJob& job) { return static_cast<int>((job.mixers() + kThreads * kEach - 1) / (kThreads * kEach)); }

  BS_DEVICE static void run(const SsdBwdJob& job) {
    add(job, job.db_shares, job.db);
    add(job, job.dc_shares, job.dc);
  }

 private:
  BS_DEVICE static void add(const SsdBwdJob& job, const float* from, float* to) {
    const std::int64_t first = static_cast<std::int64_t>(M::block()) * kThreads * kEach + M::thread(), count = job.mixers();
    float sum[kEach] = {};
    for (int share = 0; share < job.shares; ++share) {
      BS_UNROLL
      for (int i = 0; i < kEach; ++i)
        if (const std::int64_t at = first + i * kThreads; at < count) sum[i] += from[share * count + at];
    }
    BS_UNROLL
    for (int i = 0; i < kEach; ++i)
      if (const std::int64_t at = first + i * kThreads; at < count) to[at] = sum[i];
  }
};

}  // namespace bench::scan
