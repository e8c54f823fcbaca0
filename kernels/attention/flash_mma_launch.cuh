// SPDX-License-Identifier: Apache-2.0
// Launches flash_mma's body (flash_mma.hpp) and what is built on it (flash_hop.hpp): what the files share that run it on a device.
//
// Tiles (query rows x keys, 128 threads): D <= 64 128 x 128, D <= 128 128 x 64, D <= 256 64 x 64: what FlashAttention-2 found best on
// A100 and H100 (its flash_fwd_launch_template.h).
#pragma once

#include <cuda_runtime.h>

#include "kernels/attention/flash_mma.hpp"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"

namespace bench::attention {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) flash_mma(const __grid_constant__ typename Body::Job job) {
  Body(job).run();
}

/// Calls f with the body, FlashMma or FlashHop, for this problem's element type and head dimension.
template <template <class, class, int, int, int> class Body, class F>
void with_flash_mma_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<Body<cuda::Machine, T, 64, 128, 128>>();
    if (p.head_dim <= 128) return f.template operator()<Body<cuda::Machine, T, 128, 128, 64>>();
    f.template operator()<Body<cuda::Machine, T, 256, 64, 64>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

template <class Body>
constexpr int kFlashMmaShared_bytes = Body::kSharedBytes + cuda::kTileAlignment_bytes;

/// For prepare, once a body.
template <class Body>
void prepare_flash_mma() {
  cuda::take_shared_memory(flash_mma<Body>, kFlashMmaShared_bytes<Body>);
}
template <class Body>
void launch_flash_mma(const typename Body::Job& job, cudaStream_t stream) {
  flash_mma<Body><<<Body::blocks(job), Body::kThreads, kFlashMmaShared_bytes<Body>, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::attention
