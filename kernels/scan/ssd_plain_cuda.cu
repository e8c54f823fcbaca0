// SPDX-License-Identifier: Apache-2.0
// ssd_plain_cuda: Mamba-2's scan step by step in fp32 arithmetic, for every NVIDIA GPU.
//
// x, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) -> out (B, L, H, P) in fp32, bf16 or fp16; h0 -> h_last (B, H, P, N) in fp32. Formulas: ssd.hpp.
//
// Algorithm: the recurrence itself, as it is written (ssd_plain.hpp): a block takes 64 elements of a head through all steps, its states in registers; what the steps of a
// head share comes to shared memory 16 steps at a time. No product is rounded to 16 bits, no sum of decays is made: this is the accurate one.
//
// Work: three multiplications or multiply-adds a state and step on the lanes, which bind: 24.6 k a step and head at P = 64, N = 128. Chunks would take 19 k of them. One
// exponential of the decay, softplus' two. Bytes: the least possible for x, out and z; B and C once for every 64 elements. Bits do not depend on chance.
// Error against fp64: the exponential's two ulp, over as many steps as a state remembers.
//
// Right choice: fp32 problems, which tensor cores would round, and shapes that the mma kernels do not take: any P, any N up to 256. Wrong: 16-bit problems that those
// take, and few heads, as time is not cut.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/cuda/machine.cuh"
#include "kernels/scan/ssd_on_device_cuda.hpp"
#include "kernels/scan/ssd_plain.hpp"
#include "src/device/check.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_plain(const __grid_constant__ SsdJob job) {
  Body(job).run();
}

template <class T>
void launch(const SsdJob& job, cudaStream_t stream) {
  const auto with_states = [&]<int kEach, int kLanes>() {
    using Body = SsdPlain<cuda::Machine, T, kEach, kLanes>;
    ssd_plain<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
  };
  if (job.state <= 16) return with_states.template operator()<4, 4>();
  if (job.state <= 64) return with_states.template operator()<16, 4>();
  if (job.state <= 128) return with_states.template operator()<32, 4>();
  with_states.template operator()<32, 8>();
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.state > 256) return concat("state = ", p.state, ": this kernel takes up to 256");
  return needs_small_indices(p);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  return std::make_unique<SsdOnDevice>(problem_as<SsdProblem>(problem), tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const SsdJob& job = static_cast<const SsdOnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  if (problem.dtype == DType::f32) return launch<float>(job, stream);
  if (problem.dtype == DType::bf16) return launch<Bf16>(job, stream);
  launch<F16>(job, stream);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_plain_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "step by step in fp32, a head's state in registers of a block",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
