// SPDX-License-Identifier: Apache-2.0
// Launches of a layer for many rows: the norm where there is one, and a product of matrices that ends with bias and activation.
#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/linear/layer_finish.hpp"
#include "kernels/linear/layer_on_device_cuda.hpp"
#include "kernels/rounding.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::linear {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) norm_rows(const __grid_constant__ NormRowsJob job) {
  Body::run(job);
}
template <class T>
void launch_norm(const LinearProblem& p, const LayerOnDevice& layer, void* stream) {
  using Body = NormRows<cuda::Machine, T>;
  if (p.norm == Norm::none) return;
  norm_rows<Body><<<static_cast<unsigned>(p.m), Body::kThreads, Body::kSharedBytes, static_cast<cudaStream_t>(stream)>>>(layer.norm_rows());
  BS_CUDA(cudaGetLastError());
}

/// Weights that lie where the job says.
struct NoSource {};

/// Source: what the body's right operand is told beyond the job.
template <class Body, class End, class Source>
__global__ void __launch_bounds__(Body::kThreads, 2) layer_product(const __grid_constant__ cuda::GemmJob job, const __grid_constant__ End end, const __grid_constant__ Source source) {
  if constexpr (std::is_same_v<Source, NoSource>)
    Body(job, cuda::EveryTile{}, end).run();
  else
    Body(job, cuda::EveryTile{}, end, source).run();
}
/// Once before the first launch on a device.
template <class Body, class End, class Source = NoSource>
void prepare_product() {
  cuda::take_shared_memory(layer_product<Body, End, Source>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
}
template <class Body, class End, class Source = NoSource>
void launch_product(const cuda::GemmJob& job, void* stream, const End& end, const Source& source = {}) {
  layer_product<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(stream)>>>(job, end, source);
  BS_CUDA(cudaGetLastError());
}

/// 128 or, where tiles that wide would leave multiprocessors of the current device idle, 64: columns of a tile.
inline int tile_columns(const LinearProblem& p) {
  const std::int64_t wide = ceil_div(p.m, 128) * ceil_div(p.n, 128);
  return wide < device::properties(device::current()).sm_count ? 64 : 128;
}
template <class F>
void with_columns(int columns, F&& f) {
  if (columns == 64) return f.template operator()<64>();
  f.template operator()<128>();
}

}  // namespace bench::linear
