// SPDX-License-Identifier: Apache-2.0
// Launches the parts of a backward pass over ranks, whose dK and dV are fp32 sums that others add to: what the executors of kv_passing_bwd_device.hpp and
// ulysses_bwd_device.hpp ask of a device.
#pragma once

#include <span>

#include "kernels/attention/flash_bwd_mma_launch.cuh"
#include "kernels/attention/sum_parts.hpp"

namespace bench::attention {

template <class Part>
__global__ void __launch_bounds__(Part::kThreads) sum_part(const __grid_constant__ SumJob job) {
  Part::run(job);
}

/// Of with_bwd_mma_body<false, true>.
template <class T, class Body>
struct BwdPartsLaunch {
  cudaStream_t stream;

  void begin(const BwdJob& job) const { launch_part<BwdRows<cuda::Machine, T, Body::kColumns, Body::kRows>>(job, stream); }
  void backward(const BwdJob& job) const { launch_bwd_mma<Body>(job, stream); }
  void end(const BwdJob& job) const { launch_part<BwdQueries<cuda::Machine, T, typename Body::Slots>>(job, stream); }
  void clear(std::span<std::byte> bytes) const { BS_CUDA(cudaMemsetAsync(bytes.data(), 0, bytes.size(), stream)); }
  void add(const SumJob& job) const { launch_sums<AddSums<cuda::Machine>>(job); }
  void round(const SumJob& job) const { launch_sums<RoundSums<cuda::Machine, T>>(job); }

 private:
  template <class Part>
  void launch_sums(const SumJob& job) const {
    sum_part<Part><<<Part::blocks(job), Part::kThreads, 0, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  }
};

}  // namespace bench::attention
