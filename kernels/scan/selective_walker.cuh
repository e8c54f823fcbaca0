// SPDX-License-Identifier: Apache-2.0
// A Walker of a family of bodies: for how many states which, how each is launched, and how many of its blocks a device holds.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_device.hpp"
#include "kernels/scan/selective_walk.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) selective_walk(const __grid_constant__ SelectiveJob job) {
  Body(job).run();
}

/// Calls f with the shape of lanes for so many states.
template <class F>
auto with_lanes(std::int64_t state, bool dense, F&& f) {
  if (state <= 8) return dense ? f.template operator()<LaneShape<8, 1, 1>>() : f.template operator()<LaneShape<4, 2, 1>>();
  if (state <= 16) return dense ? f.template operator()<LaneShape<8, 2, 2>>() : f.template operator()<LaneShape<4, 4, 1>>();
  if (state <= 32) return f.template operator()<LaneShape<8, 4, 2>>();
  if (state <= 64) return f.template operator()<LaneShape<8, 8, 2>>();
  if (state <= 128) return f.template operator()<LaneShape<8, 16, 2>>();
  return f.template operator()<LaneShape<8, 32, 2>>();
}

/// Bodies::Of<T, Shape> is the body.
template <class Bodies, class F>
auto with_walk(const SelectiveProblem& p, bool dense, F&& f) {
  const auto of_type = [&]<class T>() { return with_lanes(p.state, dense, [&]<class Shape>() { return f.template operator()<typename Bodies::template Of<T, Shape>>(); }); };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  return of_type.template operator()<F16>();
}

template <class Body>
std::int64_t walk_slots() {
  constexpr int kBytes = Body::kSharedBytes + cuda::kTileAlignment_bytes;
  cuda::take_shared_memory(selective_walk<Body>, kBytes);
  int each = 0;
  BS_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, selective_walk<Body>, Body::kThreads, kBytes));
  return each * device::properties(device::current()).sm_count;
}

template <class Body>
void launch_walk(const SelectiveJob& job, void* stream) {
  selective_walk<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

template <class Bodies>
constexpr Walker walker_of() {
  return {.blocks = [](const SelectiveProblem& p, bool dense) { return with_walk<Bodies>(p, dense, [&]<class Body>() { return SelectivePart::blocks(selective_job(p), Body::kChannels, 1); }); },
          .slots = [](const SelectiveProblem& p, bool dense) { return with_walk<Bodies>(p, dense, [&]<class Body>() { return walk_slots<Body>(); }); },
          .launch = [](const SelectiveProblem& p, bool dense, const SelectiveJob& job, void* stream) { with_walk<Bodies>(p, dense, [&]<class Body>() { launch_walk<Body>(job, stream); }); }};
}

}  // namespace bench::scan
