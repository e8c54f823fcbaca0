// SPDX-License-Identifier: Apache-2.0
// What both passes of Ulysses share on a device besides their executors: the launch that moves rows, and what they support.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "kernels/attention/head_split.hpp"
#include "kernels/attention/row_move.hpp"
#include "kernels/cuda/machine.cuh"
#include "kernels/device_tensors_cuda.hpp"
#include "src/device/check.hpp"

namespace bench::attention {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) move_rows(const __grid_constant__ RowMove move) {
  Body::run(move);
}

template <int kWord>
void launch_move_by(const RowMove& move, cudaStream_t stream) {
  using Body = MoveRows<cuda::Machine, kWord>;
  move_rows<Body><<<Body::blocks(move), Body::kThreads, 0, stream>>>(move);
  BS_CUDA(cudaGetLastError());
}
inline void launch_move(const RowMove& move, cudaStream_t stream) { move.row_bytes % 16 == 0 ? launch_move_by<16>(move, stream) : launch_move_by<4>(move, stream); }

/// Causal masks only; a head a rank at least; head dimensions of whole 16 bytes up to 256.
inline std::string supports_ulysses_launch(const Problem& problem) {
  const std::string reason = supports_head_cut(problem);
  return reason.empty() ? needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256) : reason;
}

}  // namespace bench::attention
