// SPDX-License-Identifier: Apache-2.0
// ssd_plain_bwd_cuda: the backward pass of Mamba-2's scan step by step in fp32 arithmetic, for every NVIDIA GPU.
//
// x, dout, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) in fp32, bf16 or fp16, A, D, dt_bias (H), h0, dh_last (B, H, P, N) in fp32 -> dx, dz, ddt like x, z, dt;
// dB, dC (B, L, G, N), dA, dD, ddt_bias (H), dh0 (B, H, P, N) in fp32. Formulas: ssd_bwd.hpp.
//
// Algorithm: the recurrences as they are written. Launches: the states before every chunk of 64 steps, from the first step to the last; the gradients of the
// states behind them, the other way (ssd_plain_marks.hpp); from those all chunks at once, where states are computed again, tile by tile, and met by their gradients
// (ssd_plain_back.hpp); then ddt and what is summed over heads and steps (ssd_bwd_ends.hpp). All in a fixed order: no atomics, the bits do not depend on chance.
//
// Work: some 16 multiplications or multiply-adds a state and step on the lanes, which bind; 4 of them for the two recurrences, 4 for states again. A form by chunks
// would take 8, and sums of decays. Bytes: beyond the least 4 times 4 B L H P N / 64 for either kind of states, and from cache dB and dC twice for every
// 8 to 64 elements of a head. Memory: 8 B L H P N / 64 bytes, 8 B L G N a share of 8 heads where there are several, 12 B L H.
// Error against fp64: the exponential's two ulp, over as many steps as a state remembers; the step's gradient <R, S> has no rounding of larger sums in it.
//
// Right choice: fp32 problems, which tensor cores would round, and shapes that ssd_bwd_mma_cuda does not take: any P, any N up to 256. Wrong: 16-bit problems that that
// one takes; few heads, as the two recurrences are not cut along time.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/cuda/launch.cuh"
#include "kernels/scan/ssd_bwd_launch.cuh"
#include "kernels/scan/ssd_bwd_on_device_cuda.hpp"
#include "kernels/scan/ssd_plain_back.hpp"
#include "kernels/scan/ssd_plain_marks.hpp"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_plain_marks(const __grid_constant__ SsdJob job, const float* from, float* to) {
  Body(job).run(from, to);
}
/// Two blocks a multiprocessor: without being asked the compiler takes 200 registers a thread.
template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 2) ssd_plain_back(const __grid_constant__ SsdBwdJob job) {
  Body(job).run();
}

/// Calls f with the element type, lanes that share a row of states, and of the main kernel also states and elements a lane.
template <class F>
void with_shape(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 16) return f.template operator()<T, 4, SsdPlainBack<cuda::Machine, T, 4, 4, 1>>();
    if (p.state <= 64) return f.template operator()<T, 16, SsdPlainBack<cuda::Machine, T, 4, 16, 2>>();
    if (p.state <= 128) return f.template operator()<T, 32, SsdPlainBack<cuda::Machine, T, 4, 32, 2>>();
    f.template operator()<T, 64, SsdPlainBack<cuda::Machine, T, 8, 32, 1>>();
  };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

template <class Body>
void launch_marks(const SsdJob& job, const float* from, float* to, cudaStream_t stream) {
  ssd_plain_marks<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes, stream>>>(job, from, to);
  BS_CUDA(cudaGetLastError());
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  constexpr std::int64_t kMost = (std::int64_t{1} << 31) - 1;  // a launch's blocks
  if (p.state > 256) return concat("state = ", p.state, ": this kernel takes up to 256");
  if (const std::string reason = needs_small_indices(p); !reason.empty()) return reason;
  if (p.batch * p.heads * std::max(ceil_div(p.head_dim, 8), ceil_div(p.seq, kSsdBwdSteps)) > kMost) return "this kernel takes up to 2^31 blocks";
  return needs_few_sums(p);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  with_shape(p, [&]<class T, int kLanes, class Back>() { cuda::take_shared_memory(ssd_plain_back<Back>, Back::kSharedBytes); });
  return std::make_unique<SsdBwdOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const SsdBwdOnDevice&>(*context.prepared);
  const SsdBwdJob &job = on_device.job(), gradients = on_device.gradients();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_shape(problem_as<SsdProblem>(problem), [&]<class T, int kLanes, class Back>() {
    launch_marks<SsdPlainMarks<cuda::Machine, T, kLanes, Towards::end>>(job, job.h0, job.h_last, stream);
    launch_marks<SsdPlainMarks<cuda::Machine, T, kLanes, Towards::begin>>(gradients, job.dh_last, job.dh0, stream);
    ssd_plain_back<Back><<<Back::blocks(job), Back::kThreads, Back::kSharedBytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    launch_ends<T>(job, stream);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_plain_bwd_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward step by step in fp32: states and their gradients at every 64th step, then all chunks at once",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
