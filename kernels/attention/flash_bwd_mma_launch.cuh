// SPDX-License-Identifier: Apache-2.0
// Launches the backward kernel by mma.sync (flash_bwd_mma.hpp), with dQ summed in any order or in that of the keys: what the files share that run it.
//
// Tiles (query rows x keys, 256 threads): D <= 64 128 x 128, D <= 128 64 x 128, D <= 256 64 x 64: FlashAttention-2's choices for 8 warps. With two
// stages of Q and dO 160 KB of shared memory, with one at D 256 144 KB: one block an SM.
#pragma once

#include <memory>
#include <type_traits>

#include "kernels/attention/bwd_launch.cuh"
#include "kernels/attention/flash_bwd_mma.hpp"
#include "kernels/cuda/machine.cuh"

namespace bench::attention {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_bwd_mma(const __grid_constant__ BwdJob job) {
  Body(job).run();
}

/// Calls f with the element type and the body for this problem's and its head dimension. kSums: dK and dV are left in fp32, for others to add to.
template <bool kOrdered, bool kSums, class F>
void with_bwd_mma_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    using Out = std::conditional_t<kSums, float, T>;
    if (p.head_dim <= 64) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 64, 128, 128, 2, kOrdered, Out>>();
    if (p.head_dim <= 128) return f.template operator()<T, FlashBwdMma<cuda::Machine, T, 128, 64, 128, 2, kOrdered, Out>>();
    f.template operator()<T, FlashBwdMma<cuda::Machine, T, 256, 64, 64, 1, kOrdered, Out>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

template <class Body>
constexpr int kBwdMmaShared_bytes = Body::kSharedBytes + cuda::kTileAlignment_bytes;

/// For prepare, once a body.
template <class Body>
void take_bwd_mma_memory() {
  cuda::take_shared_memory(flash_bwd_mma<Body>, kBwdMmaShared_bytes<Body>);
}
template <class Body>
void launch_bwd_mma(const BwdJob& job, cudaStream_t stream) {
  flash_bwd_mma<Body><<<Body::blocks(job), Body::kThreads, kBwdMmaShared_bytes<Body>, stream>>>(job);
  BS_CUDA(cudaGetLastError());
}

inline std::string bwd_mma_supports(const Problem& problem) { return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256); }

template <bool kOrdered>
std::unique_ptr<Prepared> prepare_bwd_mma(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::unique_ptr<Prepared> prepared;
  with_bwd_mma_body<kOrdered, false>(p, [&]<class T, class Body>() {
    take_bwd_mma_memory<Body>();
    save_forward(p, tensors, context);
    prepared = std::make_unique<AttentionBwdOnDevice>(p, tensors, Body::kRows, Body::kColumns, Body::kTurnParts);
  });
  return prepared;
}

template <bool kOrdered>
void run_bwd_mma(const Problem& problem, Tensors&, Context& context) {
  const BwdJob& job = static_cast<const AttentionBwdOnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_bwd_mma_body<kOrdered, false>(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    launch_part<BwdRows<cuda::Machine, T, Body::kColumns, Body::kRows>>(job, stream);
    launch_bwd_mma<Body>(job, stream);
    launch_part<BwdQueries<cuda::Machine, T, typename Body::Slots>>(job, stream);
  });
}

}  // namespace bench::attention
