// SPDX-License-Identifier: Apache-2.0
// Launches bodies of the selective scan's backward pass: for how many states which shape of lanes.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_lanes.hpp"
#include "src/core/dtype.hpp"
#include "src/device/check.hpp"

namespace bench::scan {

/// Calls f with the element type and the shape of lanes: four states a lane, as it holds two numbers of each for all steps of a tile.
template <class F>
auto with_back(const SelectiveProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 8) return f.template operator()<T, LaneShape<4, 2, 1>>();
    if (p.state <= 16) return f.template operator()<T, LaneShape<4, 4, 1>>();
    if (p.state <= 32) return f.template operator()<T, LaneShape<4, 8, 1>>();
    if (p.state <= 64) return f.template operator()<T, LaneShape<4, 16, 1>>();
    if (p.state <= 128) return f.template operator()<T, LaneShape<4, 32, 1>>();
    return f.template operator()<T, LaneShape<8, 32, 1>>();
  };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  return of_type.template operator()<F16>();
}

template <class Body, class Job>
void launch_back_part(void (*kernel)(const Job), const Job& job, void* stream) {
  kernel<<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// Before a kernel's first launch.
template <class Body, class Job>
void allow_shared(void (*kernel)(const Job)) {
  cuda::take_shared_memory(kernel, Body::kSharedBytes + cuda::kTileAlignment_bytes);
}

}  // namespace bench::scan
