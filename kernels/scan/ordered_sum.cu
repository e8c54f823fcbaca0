// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ordered_sum.hpp"

#include <cuda_runtime.h>

#include "kernels/cuda/machine.cuh"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

__global__ void __launch_bounds__(OrderedSum::kThreads) ordered_sum(const __grid_constant__ OrderedSum job) {
  job.run<cuda::Machine>();
}

}  // namespace

void launch_sum(const OrderedSum& job, void* stream) {
  if (job.count == 0) return;
  ordered_sum<<<static_cast<unsigned>(job.blocks()), OrderedSum::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::scan
