// SPDX-License-Identifier: Apache-2.0
// Launches Hopper's forward kernel (flash_sm90.hpp), plain or overlapped: what the rungs' files share.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/flash_sm90.hpp"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/tensor_map.cuh"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::attention {

using cuda::HopperMachine;
using HopperJob = FlashSm90Job<HopperMachine>;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_sm90(const __grid_constant__ HopperJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension. Overlapped, a third warpgroup would leave each 160 registers a
/// thread, and scores, weights and output take more.
template <bool kOverlap, class F>
void with_hopper_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<FlashSm90<HopperMachine, T, 64, kOverlap ? 2 : 3, kOverlap>>();
    f.template operator()<FlashSm90<HopperMachine, T, 128, 2, kOverlap>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct OnHopper final : AttentionOnDevice {
  OnHopper(const AttentionProblem& p, Tensors& tensors, int keys)
      : AttentionOnDevice(p, tensors),
        hopper_job{job(), cuda::tensor_map(job().q, p.batch * p.heads, p.seq, p.head_dim, 64),
                   cuda::tensor_map(job().k, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys),
                   cuda::tensor_map(job().v, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys)} {}
  HopperJob hopper_job;
};

inline std::string hopper_supports(const Problem& problem) {
  return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 128);
}

template <bool kOverlap>
std::unique_ptr<Prepared> prepare_on_hopper(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const device::Properties device = device::properties(device::current());
  if (device.major != 9 || device.minor != 0)
    throw Error(ErrorKind::unavailable, concat("needs compute capability 9.0 (Hopper); ", device.name, " has ", device.major, '.', device.minor));
  std::unique_ptr<Prepared> prepared;
  with_hopper_body<kOverlap>(p, [&]<class Body>() {
    BS_CUDA(cudaFuncSetAttribute(flash_sm90<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, Body::kSharedBytes + cuda::kTileAlignment_bytes));
    prepared = std::make_unique<OnHopper>(p, tensors, Body::kKeys);
  });
  return prepared;
}

template <bool kOverlap>
void run_on_hopper(const Problem& problem, Tensors&, Context& context) {
  const HopperJob& job = static_cast<const OnHopper&>(*context.prepared).hopper_job;
  with_hopper_body<kOverlap>(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    flash_sm90<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  });
}

}  // namespace bench::attention
