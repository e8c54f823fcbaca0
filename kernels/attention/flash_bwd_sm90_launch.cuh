// SPDX-License-Identifier: Apache-2.0
// Launches Hopper's backward kernel (flash_bwd_sm90.hpp), with dQ summed in any order or in that of the keys: what the two kernels' files share.
//
// Tiles: 128 keys a block, 64 for each of two warpgroups; D <= 64 128 rows, D <= 128 64 rows, two places each; 194 KB of shared memory, one block an SM.
#pragma once

#include <memory>

#include "kernels/attention/bwd_launch.cuh"
#include "kernels/attention/flash_bwd_sm90.hpp"
#include "kernels/cuda/hopper_device.cuh"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/tensor_map.cuh"

namespace bench::attention {

using BwdHopperMachine = cuda::HopperMachine;
using BwdHopperJob = FlashBwdSm90Job<BwdHopperMachine>;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_bwd_sm90(const __grid_constant__ BwdHopperJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension.
template <bool kOrdered, class F>
void with_bwd_hopper_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<T, FlashBwdSm90<BwdHopperMachine, T, 64, 128, kOrdered>>();
    f.template operator()<T, FlashBwdSm90<BwdHopperMachine, T, 128, 64, kOrdered>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct BwdOnHopper final : AttentionBwdOnDevice {
  BwdOnHopper(const AttentionProblem& p, Tensors& tensors, int rows, int columns, int keys, int turn_parts)
      : AttentionBwdOnDevice(p, tensors, rows, columns, turn_parts),
        hopper_job{job(), cuda::tensor_map(job().q, p.batch * p.heads, p.seq, p.head_dim, rows),
                   cuda::tensor_map(job().k, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys),
                   cuda::tensor_map(job().v, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys),
                   cuda::tensor_map(job().dout, p.batch * p.heads, p.seq, p.head_dim, rows)} {}
  BwdHopperJob hopper_job;
};

inline std::string bwd_hopper_supports(const Problem& problem) { return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 128); }

template <bool kOrdered>
std::unique_ptr<Prepared> prepare_bwd_on_hopper(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  cuda::hopper_device();
  std::unique_ptr<Prepared> prepared;
  with_bwd_hopper_body<kOrdered>(p, [&]<class T, class Body>() {
    take_shared_memory(flash_bwd_sm90<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
    save_forward(p, tensors, context);
    prepared = std::make_unique<BwdOnHopper>(p, tensors, Body::kRows, Body::kColumns, Body::kKeys, Body::kTurnParts);
  });
  return prepared;
}

template <bool kOrdered>
void run_bwd_on_hopper(const Problem& problem, Tensors&, Context& context) {
  const BwdHopperJob& job = static_cast<const BwdOnHopper&>(*context.prepared).hopper_job;
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_bwd_hopper_body<kOrdered>(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    launch_part<BwdRows<BwdHopperMachine, T, Body::kColumns, Body::kRows>>(job, stream);
    flash_bwd_sm90<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    launch_part<BwdQueries<BwdHopperMachine, T, typename Body::Slots>>(job, stream);
  });
}

}  // namespace bench::attention
