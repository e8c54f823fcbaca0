// SPDX-License-Identifier: Apache-2.0
// selective_plain_cuda: Mamba-1's selective scan on a GPU in all of its forms: real or complex states, B and C of every step or constant.
//
// u delta z (B, L, C), B C (B, L, G, N) or constant (C, N), A (C, N), D delta_bias (C), h0 (B, C, N) -> out (B, L, C) in fp32, bf16 or fp16, h_last (B, C, N) in
// fp32; complex: pairs of numbers, (..., N, 2). Formulas: selective.hpp. Algorithm: step after step, states in registers, stages of 8 or 16 steps by way of shared memory
// (selective_plain.hpp). The forms are those of state-spaces/mamba's csrc/selective_scan, which computes them by a block-wide scan.
//
// Work: 6 flops and an exponential a step and state; complex 16, and besides the exponential the sine and cosine of its angle, some 25 instructions on the FMA pipes
// (lane_turns.hpp). Bytes: u twice; u, delta, z and out otherwise once, B and C once a block of 32 channels (of 4 beyond 16 floats of states), mostly from L2. Error against fp64: as
// selective_cuda's; complex: the angle's, too, which are the digits of d Im A. Bits do not depend on chance.
//
// Right choice: constant or complex problems, which the other kernels decline. Wrong: all others (selective_cuda), except as a simple twin. Preconditions: N <= 256, complex 128.
#include <cuda_runtime.h>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/scan/selective_plain.hpp"
#include "kernels/scan/selective_plain_launch.cuh"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

/// Registers for four blocks a multiprocessor: left alone, ptxas aims at eight and keeps a word in local memory for it.
template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 4) selective_plain(const __grid_constant__ SelectivePlainJob job) {
  Body(job).run();
}

template <class F>
void with_body(const SelectiveProblem& p, F&& f) {
  with_plain(p, [&]<class T, class Shape, class N>() { f.template operator()<SelectivePlain<cuda::Machine, T, Shape, N, false>>(); });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  with_body(p, [&]<class Body>() { cuda::take_shared_memory(selective_plain<Body>, Body::kSharedBytes); });
  return std::make_unique<SelectiveOnDevice>(p, tensors, ChunkPlan{1, round_up(p.seq, kStartBits)}, false);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const SelectivePlainJob job = selective_plain_job(p, static_cast<const SelectiveOnDevice&>(*context.prepared).job());
  with_body(p, [&]<class Body>() {
    selective_plain<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, static_cast<cudaStream_t>(context.stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_plain_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "step by step, states in registers; constant B and C and complex states, too",
    .supports = takes_every_form,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
