// SPDX-License-Identifier: Apache-2.0
// A SpanReader of a family of bodies: how each is launched, and how many of its blocks a device holds.
#pragma once

#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/decode/paged_device.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::decode {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) paged_span(const __grid_constant__ PagedJob job) {
  Body(job).run();
}

/// Blocks of Body that the current device runs at once.
template <class Body>
std::int64_t slots_of() {
  constexpr int kBytes = Body::kSharedBytes + cuda::kTileAlignment_bytes;
  cuda::take_shared_memory(paged_span<Body>, kBytes);
  int each = 0;
  BS_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, paged_span<Body>, Body::kThreads, kBytes));
  return each * device::properties(device::current()).sm_count;
}

template <class Body>
void launch_spans(const PagedJob& job, void* stream) {
  paged_span<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// Calls f with the least head dimension that bodies are made for and that holds the problem's.
template <class F>
auto with_dim(const DecodeProblem& p, F&& f) {
  if (p.head_dim <= 64) return f.template operator()<64>();
  if (p.head_dim <= 128) return f.template operator()<128>();
  return f.template operator()<256>();
}

/// Bodies::with(problem, f) calls f with the body that takes the problem.
template <class Bodies>
constexpr SpanReader reader_of() {
  return {.slots = [](const DecodeProblem& p) { return Bodies::with(p, [&]<class Body>() { return slots_of<Body>(); }); },
          .heads_a_block = [](const DecodeProblem& p) { return Bodies::with(p, [&]<class Body>() { return std::int64_t{Body::kRows}; }); },
          .launch = [](const DecodeProblem& p, const PagedJob& job, void* stream) { Bodies::with(p, [&]<class Body>() { launch_spans<Body>(job, stream); }); }};
}

}  // namespace bench::decode
