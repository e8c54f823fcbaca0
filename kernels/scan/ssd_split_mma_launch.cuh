// SPDX-License-Identifier: Apache-2.0
// Launches of the ssd op's kernels that cut time into chunks (ssd_split_mma.hpp), for the forward and the backward pass.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/ssd_mma_limits.hpp"
#include "kernels/scan/ssd_on_device_cuda.hpp"
#include "kernels/scan/ssd_split_mma.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_chunks(const __grid_constant__ SsdJob job) {
  Body::run(job);
}
template <class Body>
void ready() {
  cuda::take_shared_memory(ssd_chunks<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
}
template <class Body>
void launch(const SsdJob& job, cudaStream_t stream) {
  ssd_chunks<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_passing(const __grid_constant__ SsdJob job, const float* from, float* to) {
  Body::run(job, from, to);
}
template <class Body>
void launch_passing(const SsdJob& job, const float* from, float* to, cudaStream_t stream) {
  ssd_passing<Body><<<Body::blocks(job), Body::kThreads, 0, stream>>>(job, from, to);
  BS_CUDA(cudaGetLastError());
}

/// Calls f with the element type, steps a chunk, elements and states a block for this problem.
template <class F>
void with_split_sizes(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 64) return f.template operator()<T, split_steps(64), 64, 64>();
    if (p.state <= 128) return f.template operator()<T, split_steps(128), 64, 128>();
    f.template operator()<T, split_steps(256), 32, 256>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

inline void ready_split(const SsdProblem& p) {
  with_split_sizes(p, [&]<class T, int kSteps, int kElements, int kStates>() {
    ready<SsdChunkStates<cuda::Machine, T, kSteps, kElements, kStates>>();
    ready<SsdChunkOutputs<cuda::Machine, T, kSteps, kElements, kStates>>();
  });
}

inline std::string takes_split(const SsdProblem& p) {
  const std::string reason = needs_ssd_tiles(p, 256);
  return reason.empty() ? needs_few_chunks(p) : reason;
}

/// With what the chunks leave each other.
class SsdSplitOnDevice : public SsdOnDevice {
 public:
  SsdSplitOnDevice(const SsdProblem& p, Tensors& tensors)
      : SsdOnDevice(p, tensors), states_(split_chunks(p) * p.batch * p.heads * p.head_states() * 4), keep_(split_chunks(p) * p.batch * p.heads * 4) {
    job_ = SsdOnDevice::job();
    job_.states = reinterpret_cast<float*>(states_.data());
    job_.keep = reinterpret_cast<float*>(keep_.data());
  }
  const SsdJob& job() const { return job_; }

 private:
  device::DeviceBuffer states_, keep_;
  SsdJob job_;
};

}  // namespace bench::scan
