// SPDX-License-Identifier: Apache-2.0
// Launches the backward kernel by mma.sync (flash_bwd_mma.hpp), with dQ summed in any order or in that of the keys: what the two kernels' files share.
//
// Tiles (query rows x keys, 256 threads): D <= 64 128 x 128, D <= 128 64 x 128, D <= 256 64 x 64: FlashAttention-2's choices for 8 warps. With two
// stages of Q and dO 160 KB of shared memory, with one at D 256 144 KB: one block an SM.
#pragma once

#include <memory>

#include "kernels/attention/bwd_launch.cuh"
#include "kernels/attention/flash_bwd_mma.hpp"
#include "kernels/cuda/machine.cuh"

namespace bench::attention {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_bwd_mma(const __grid_constant__ BwdJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension.
template <bool kOrdered, class F>
void with_bwd_mma_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 64, 128, 128, 2, kOrdered>>();
    if (p.head_dim <= 128) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 128, 64, 128, 2, kOrdered>>();
    f.template operator()<T, FlashBwdMma<cuda::Machine, T, 256, 64, 64, 1, kOrdered>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

inline std::string bwd_mma_supports(const Problem& problem) { return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256); }

template <bool kOrdered>
std::unique_ptr<Prepared> prepare_bwd_mma(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::unique_ptr<Prepared> prepared;
  with_bwd_mma_body<kOrdered>(p, [&]<class T, class Body>() {
    take_shared_memory(flash_bwd_mma<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
    save_forward(p, tensors, context);
    prepared = std::make_unique<AttentionBwdOnDevice>(p, tensors, Body::kRows, Body::kColumns, Body::kTurnParts);
  });
  return prepared;
}

template <bool kOrdered>
void run_bwd_mma(const Problem& problem, Tensors&, Context& context) {
  const BwdJob& job = static_cast<const AttentionBwdOnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_bwd_mma_body<kOrdered>(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    launch_part<BwdRows<cuda::Machine, T, Body::kColumns, Body::kRows>>(job, stream);
    flash_bwd_mma<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    launch_part<BwdQueries<cuda::Machine, T, typename Body::Slots>>(job, stream);
  });
}

}  // namespace bench::attention
