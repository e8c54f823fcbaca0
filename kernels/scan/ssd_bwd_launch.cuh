// SPDX-License-Identifier: Apache-2.0
// What the cuda kernels of the ssd op's backward pass launch alike: what is left to do behind the chunks (ssd_bwd_ends.hpp).
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/machine.cuh"
#include "kernels/scan/ssd_bwd_ends.hpp"
#include "src/device/check.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_bwd_end(const __grid_constant__ SsdBwdJob job) {
  Body::run(job);
}
template <class Body>
void launch_end(const SsdBwdJob& job, int shared_bytes, cudaStream_t stream) {
  ssd_bwd_end<Body><<<Body::blocks(job), Body::kThreads, shared_bytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// From the sums of all steps of inputs of type T.
template <class T>
void launch_ends(const SsdBwdJob& job, cudaStream_t stream) {
  using Steps = SsdBwdSteps<cuda::Machine, T>;
  launch_end<Steps>(job, Steps::kSharedBytes, stream);
  launch_end<SsdBwdSums<cuda::Machine>>(job, 0, stream);
  if (job.shares > 1) launch_end<SsdBwdMixers<cuda::Machine>>(job, 0, stream);
}

/// Why those do not take a problem; empty when they do.
inline std::string needs_few_sums(const SsdProblem& p) {
  if (p.batch * p.seq * p.groups * p.state > std::int64_t{1} << 40) return "this kernel takes up to 2^40 elements of dB";
  return {};
}

}  // namespace bench::scan
