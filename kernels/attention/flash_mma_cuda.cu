// SPDX-License-Identifier: Apache-2.0
// flash_mma_cuda: attention's forward pass on tensor cores by mma.sync, for every NVIDIA GPU from sm_80 on.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Algorithm and layouts: flash_mma.hpp.
//
// Tiles: flash_mma_launch.cuh. Blocks are launched with those first that see the most keys, so that causal ones end together.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, mostly from L2. Accumulation fp32, weights rounded to 16 bits before P V, sum and maximum in fp32. Error against fp64: the rounding
// of weights and output. Bits do not depend on the order of blocks: nobody shares a row.
//
// Right choice: on Ampere and Ada; on Hopper its wgmma twin can be twice as fast. Precondition: D <= 256, a multiple of 8.
#include <memory>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/flash_mma_launch.cuh"

namespace bench::attention {
namespace {

std::string supports(const Problem& problem) {
  return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  with_flash_mma_body<FlashMma>(p, []<class Body>() { prepare_flash_mma<Body>(); });
  return std::make_unique<AttentionOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const DeviceJob& job = static_cast<const AttentionOnDevice&>(*context.prepared).job();
  with_flash_mma_body<FlashMma>(problem_as<AttentionProblem>(problem), [&]<class Body>() { launch_flash_mma<Body>(job, static_cast<cudaStream_t>(context.stream)); });
}

const Registrar<Kernel> registrar{{
    .name = "attention/flash_mma_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "blocked online softmax on tensor cores by mma.sync, weights stay in registers",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
