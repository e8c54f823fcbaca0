// SPDX-License-Identifier: Apache-2.0
// ssd_bwd_mma_cuda: the backward pass of Mamba-2's scan on tensor cores by mma.sync, for every NVIDIA GPU from sm_80 on.
//
// x, dout, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) in bf16 or fp16, A, D, dt_bias (H), h0, dh_last (B, H, P, N) in fp32 -> dx, dz, ddt like x, z, dt; dB, dC
// (B, L, G, N), dA, dD, ddt_bias (H), dh0 (B, H, P, N) in fp32. Formulas: ssd_bwd.hpp.
//
// Algorithm: the chunked form of Dao and Gu 2024 transposed, in chunks of 64 steps. Launches: what every chunk adds to the state, and that from the first chunk to the last; where
// there is a gate dz, by the forward pass's output kernel; what every chunk adds to the state's gradient, and that from the last chunk to the first; then all chunks at
// once dB, dC, dx and the steps' sums (ssd_bwd_mma.hpp); last ddt and what is summed over heads and steps (ssd_bwd_ends.hpp), in a fixed order: no atomics, the
// bits do not depend on chance.
//
// Work: some 2 B L H (5 P N + 64 (P + 1.5 N)) multiply-adds a product in two parts counted twice. Bytes: beyond the least 4 times 4 B L H P N / 64 for either kind of
// states, dB and dC once more a share of 8 heads, 12 B L H for sums. Memory: 8 B L H P N / 64 bytes and those.
//
// Error against fp64: dB, dC, dh0 and dA some 1e-5, as operands that are no 16-bit numbers are cut into two (2^-17); dx, dz and ddt their own rounding.
//
// Right choice: 16-bit problems on a GPU. Preconditions: P and N multiples of 8, N <= 128, as a warp has 16 rows of dB in registers; ssd_plain_bwd_cuda takes the rest.
#include "kernels/scan/ssd_bwd_launch.cuh"
#include "kernels/scan/ssd_bwd_mma.hpp"
#include "kernels/scan/ssd_bwd_on_device_cuda.hpp"
#include "kernels/scan/ssd_split_mma_launch.cuh"

namespace bench::scan {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) ssd_bwd_mma(const __grid_constant__ SsdBwdJob job) {
  Body(job).run();
}

/// The bodies of a problem's launches.
template <class Element, int kStates>
struct Bodies {
  using T = Element;
  using Main = SsdBwdMma<cuda::Machine, T, kStates>;
  using States = SsdChunkStates<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::end>;
  using Gradients = SsdChunkStates<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates, Towards::begin>;
  using Gates = SsdChunkOutputs<cuda::Machine, T, kSsdBwdSteps, kSsdBwdElements, kStates>;
};
template <class F>
void with_bodies(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 64) return f.template operator()<Bodies<T, 64>>();
    f.template operator()<Bodies<T, 128>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.state > 128) return concat("state = ", p.state, ": the sums of dB over more than 128 states are more than there are registers; scan/ssd_plain_bwd_cuda takes up to 256");
  if (const std::string reason = needs_ssd_tiles(p, 128); !reason.empty()) return reason;
  if (const std::string reason = needs_few_chunks(p); !reason.empty()) return reason;
  return needs_few_sums(p);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  with_bodies(p, [&]<class Use>() {
    ready<typename Use::States>();
    ready<typename Use::Gradients>();
    ready<typename Use::Gates>();
    cuda::take_shared_memory(ssd_bwd_mma<typename Use::Main>, Use::Main::kSharedBytes + cuda::kTileAlignment_bytes);
  });
  return std::make_unique<SsdBwdOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const SsdBwdOnDevice&>(*context.prepared);
  const SsdBwdJob &job = on_device.job(), gradients = on_device.gradients();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_bodies(problem_as<SsdProblem>(problem), [&]<class Use>() {
    using Main = typename Use::Main;
    launch<typename Use::States>(job, stream);
    launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps>>(job, job.h0, job.h_last, stream);
    if (job.z != nullptr) launch<typename Use::Gates>(job, stream);
    launch<typename Use::Gradients>(gradients, stream);
    launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps, Towards::begin>>(gradients, job.dh_last, job.dh0, stream);
    ssd_bwd_mma<Main><<<Main::blocks(job), Main::kThreads, Main::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    launch_ends<typename Use::T>(job, stream);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_bwd_mma_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward on tensor cores: states and their gradients from chunk to chunk, then all chunks of 64 steps at once",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
