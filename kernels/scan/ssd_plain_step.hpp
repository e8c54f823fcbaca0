// SPDX-License-Identifier: Apache-2.0
// What the ssd op's bodies for ordinary lanes read of a step: its decay as the recurrence has it, and the gradient before the gate.
#pragma once

#include <cstdint>

#include "kernels/scan/ssd_job.hpp"

namespace bench::scan {

/// begins: not 0 where a packed sequence does. What is left of another one is forgotten by selection: 0 times an infinity is NaN.
struct SsdPlainStep {
  float d, decay, begins;
};

template <class M, class T>
BS_DEVICE SsdPlainStep plain_step(const SsdJob& job, const SsdPlace& at, int t) {
  const float d = step_of<M>(cuda::value<M>(static_cast<const T*>(job.dt)[at.of_steps(job, t)]) + job.bias[at.head], job.low, job.high);
  return {d, M::exp2(d * job.a[at.head] * kLog2E), job.first != nullptr && job.first[t] == t ? 1.0F : 0.0F};
}

/// dout silu(z), or dout where there is no gate, of an element of (B, L, H, P).
template <class M, class T>
BS_DEVICE float ungated(const SsdJob& job, std::int64_t at) {
  const float dout = cuda::value<M>(static_cast<const T*>(job.dout)[at]);
  return job.z == nullptr ? dout : dout * cuda::silu<M>(cuda::value<M>(static_cast<const T*>(job.z)[at]));
}

}  // namespace bench::scan
