// SPDX-License-Identifier: Apache-2.0
// ssd_split_mma_cuda: Mamba-2's scan in three launches on tensor cores by mma.sync, cut along time as well, for every NVIDIA GPU from sm_80 on.
//
// x, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) -> out (B, L, H, P) in bf16 or fp16; h0 -> h_last (B, H, P, N) in fp32. Formulas: ssd.hpp.
//
// Algorithm: Dao and Gu 2024, section 6, whose five kernels are three here (ssd_split_mma.hpp): decays are made where they are used, and C B^T where it is
// weighed. Chunks of 128 steps, 64 with more than 128 states. A block takes a chunk of 64 elements of a head (32 with more than 128 states). Bits do not depend on chance.
//
// Work: as ssd_fused128_mma_cuda. Bytes: beyond the least the chunks' states in fp32, 16 B L H P N / 128, written and read twice: at N = 128 eight times the size of x
// in bf16. Memory: 4 B L H P N / 128 bytes. Error against fp64: as ssd_fused128_mma_cuda.
//
// Right choice: where B H does not fill the device's SMs, so few long sequences. Wrong elsewhere: the states' way through memory costs more than all else.
// Preconditions: P and N multiples of 8, N <= 256.
#include "kernels/scan/ssd_split_mma_launch.cuh"

namespace bench::scan {
namespace {

std::string supports(const Problem& problem) {
  return takes_split(problem_as<SsdProblem>(problem));
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  ready_split(p);
  return std::make_unique<SsdSplitOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const SsdJob& job = static_cast<const SsdSplitOnDevice&>(*context.prepared).job();
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_split_sizes(problem_as<SsdProblem>(problem), [&]<class T, int kSteps, int kElements, int kStates>() {
    launch<SsdChunkStates<cuda::Machine, T, kSteps, kElements, kStates>>(job, stream);
    launch_passing<SsdPassing<cuda::Machine, kSteps>>(job, job.h0, job.h_last, stream);
    launch<SsdChunkOutputs<cuda::Machine, T, kSteps, kElements, kStates>>(job, stream);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_split_mma_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "three launches, time cut into chunks of 128 steps: their states, these from chunk to chunk, outputs",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
