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
#include "kernels/scan/ssd_bwd_mma_launch.cuh"
#include "kernels/scan/ssd_bwd_on_device_cuda.hpp"

namespace bench::scan {
namespace {

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.state > 128) return concat("state = ", p.state, ": the sums of dB over more than 128 states are more than there are registers; scan/ssd_plain_bwd_cuda takes up to 256");
  return takes_bwd_mma(p);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  ready_bwd_bodies(p);
  return std::make_unique<SsdBwdOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const SsdBwdOnDevice&>(*context.prepared);
  const SsdBwdJob &job = on_device.job(), gradients = on_device.gradients();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_bwd_bodies(problem_as<SsdProblem>(problem), [&]<class Use>() {
    launch<typename Use::States>(job, stream);
    launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps>>(job, job.h0, job.h_last, stream);
    if (job.z != nullptr) launch<typename Use::Gates>(job, stream);
    launch<typename Use::Gradients>(gradients, stream);
    launch_passing<SsdPassing<cuda::Machine, kSsdBwdSteps, Towards::begin>>(gradients, job.dh_last, job.dh0, stream);
    launch_chunks_back<typename Use::Main>(job, stream);
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
