// SPDX-License-Identifier: Apache-2.0
// Launches of the products of matrices: the body for an element type, and the kernel around it.
#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "kernels/cuda/gemm_fma.hpp"
#include "kernels/cuda/gemm_mma.hpp"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "src/device/check.hpp"

namespace bench::cuda {

/// Operands in T, the result in Out; fp32 has no tensor core that keeps it.
template <class T, class Out, GemmForm kForm, int kColumns, class Tiles = EveryTile>
using GemmBody = std::conditional_t<std::is_same_v<T, float>, GemmFma<Machine, kForm, kColumns, Tiles>, GemmMma<Machine, T, Out, kForm, kColumns, Tiles>>;

template <class Body, class Tiles>
__global__ void __launch_bounds__(Body::kThreads, 2) gemm(const __grid_constant__ GemmJob job, const __grid_constant__ Tiles tiles) {
  Body(job, tiles).run();
}

/// Once before the first launch on a device.
template <class Body, class Tiles = EveryTile>
void prepare_gemm() {
  take_shared_memory(gemm<Body, Tiles>, Body::kSharedBytes + kTileAlignment_bytes);
}

template <class Body, class Tiles = EveryTile>
void launch_gemm(const GemmJob& job, cudaStream_t stream, const Tiles& tiles = {}) {
  gemm<Body, Tiles><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + kTileAlignment_bytes, stream>>>(job, tiles);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::cuda
