// SPDX-License-Identifier: Apache-2.0
// The bodies of the ssd op's backward pass on tensor cores (ssd_bwd_mma.hpp and those of ssd_split_mma.hpp that stand before it) for a problem's sizes, and their launches.
#pragma once

#include <string>

#include "kernels/scan/ssd_bwd_launch.cuh"
#include "kernels/scan/ssd_bwd_mma.hpp"
#include "kernels/scan/ssd_split_mma_launch.cuh"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_bwd_chunks(const __grid_constant__ SsdBwdJob job) {
  Body(job).run();
}

template <class Element, int kStates>
struct SsdBwdBodies {
  using T = Element;
  using Main = SsdBwdMma<cuda::Machine, T, kStates>;
  using States = SsdChunkStates<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::end>;
  using Gradients = SsdChunkStates<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::begin>;
  using Gates = SsdChunkOutputs<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates>;
};
/// Calls f with them.
template <class F>
void with_bwd_bodies(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 64) return f.template operator()<SsdBwdBodies<T, 64>>();
    f.template operator()<SsdBwdBodies<T, 128>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

/// Before their first launch.
inline void ready_bwd_bodies(const SsdProblem& p) {
  with_bwd_bodies(p, [&]<class Use>() {
    ready<typename Use::States>();
    ready<typename Use::Gradients>();
    ready<typename Use::Gates>();
    cuda::take_shared_memory(ssd_bwd_chunks<typename Use::Main>, Use::Main::kSharedBytes + cuda::kTileAlignment_bytes);
  });
}

template <class Main>
void launch_chunks_back(const SsdBwdJob& job, cudaStream_t stream) {
  ssd_bwd_chunks<Main><<<Main::blocks(job), Main::kThreads, Main::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// Why they do not take a problem; empty when they do.
inline std::string takes_bwd_mma(const SsdProblem& p) {
  if (const std::string reason = needs_ssd_tiles(p, 128); !reason.empty()) return reason;
  if (const std::string reason = needs_few_chunks(p); !reason.empty()) return reason;
  return needs_few_sums(p);
}

}  // namespace bench::scan
