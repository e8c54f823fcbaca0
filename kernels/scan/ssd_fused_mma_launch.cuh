// SPDX-License-Identifier: Apache-2.0
// Launches the ssd op's fused kernel by mma.sync (ssd_fused_mma.hpp) with chunks of kSteps steps: what the kernels' files share, one file a chunk size.
//
// Elements of a head x states a block: 64 x 64, 64 x 128 and 32 x 256, that is 32 or 64 accumulators of the state a thread.
#pragma once

#include <cuda_runtime.h>

#include <memory>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/ssd_fused_mma.hpp"
#include "kernels/scan/ssd_mma_limits.hpp"
#include "kernels/scan/ssd_on_device_cuda.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_fused_mma(const __grid_constant__ SsdJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and number of states.
template <int kSteps, int kMostStates, class F>
void with_fused_body(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 64) return f.template operator()<SsdFusedMma<cuda::Machine, T, kSteps, 64, 64>>();
    if constexpr (kMostStates > 128)
      if (p.state > 128) return f.template operator()<SsdFusedMma<cuda::Machine, T, kSteps, 32, 256>>();
    f.template operator()<SsdFusedMma<cuda::Machine, T, kSteps, 64, 128>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

template <int kSteps, int kMostStates>
struct SsdFused {
  static std::string supports(const Problem& problem) { return needs_ssd_tiles(problem_as<SsdProblem>(problem), kMostStates); }

  static std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
    const auto& p = problem_as<SsdProblem>(problem);
    with_fused_body<kSteps, kMostStates>(p, [&]<class Body>() { cuda::take_shared_memory(ssd_fused_mma<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes); });
    return std::make_unique<SsdOnDevice>(p, tensors);
  }

  static void run(const Problem& problem, Tensors&, Context& context) {
    const SsdJob& job = static_cast<const SsdOnDevice&>(*context.prepared).job();
    with_fused_body<kSteps, kMostStates>(problem_as<SsdProblem>(problem), [&]<class Body>() {
      ssd_fused_mma<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(job);
      BS_CUDA(cudaGetLastError());
    });
  }
};

}  // namespace bench::scan
