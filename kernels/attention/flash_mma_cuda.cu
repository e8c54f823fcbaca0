// SPDX-License-Identifier: Apache-2.0
// flash_mma_cuda: attention's forward pass on tensor cores by mma.sync, for every NVIDIA GPU from sm_80 on.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Algorithm and layouts: flash_mma.hpp.
//
// Tiles (query rows x keys, 128 threads): D <= 64 128 x 128, D <= 128 128 x 64, D <= 256 64 x 64: what FlashAttention-2 found best on
// A100 and H100 (its flash_fwd_launch_template.h). Blocks are launched with those first that see the most keys, so that causal ones end
// together.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, mostly from L2. Accumulation fp32, weights rounded to 16 bits before P V, sum and maximum in fp32. Error against fp64: the rounding
// of weights and output. Bits do not depend on the order of blocks: nobody shares a row.
//
// Right choice: on Ampere and Ada; on Hopper its wgmma twin can be twice as fast. Precondition: D <= 256, a multiple of 8.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/flash_mma.hpp"
#include "kernels/cuda/machine.cuh"
#include "src/device/check.hpp"

namespace bench::attention {
namespace {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) flash_mma(const __grid_constant__ DeviceJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension.
template <class F>
void with_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<FlashMma<cuda::Machine, T, 64, 128, 128>>();
    if (p.head_dim <= 128) return f.template operator()<FlashMma<cuda::Machine, T, 128, 128, 64>>();
    f.template operator()<FlashMma<cuda::Machine, T, 256, 64, 64>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

std::string supports(const Problem& problem) {
  return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 256);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  with_body(p, [&]<class Body>() {
    BS_CUDA(cudaFuncSetAttribute(flash_mma<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, Body::kSharedBytes + cuda::kTileAlignment_bytes));
  });
  return std::make_unique<AttentionOnDevice>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const DeviceJob& job = static_cast<const AttentionOnDevice&>(*context.prepared).job();
  with_body(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    flash_mma<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  });
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
