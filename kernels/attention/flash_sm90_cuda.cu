// SPDX-License-Identifier: Apache-2.0
// flash_sm90_cuda: attention's forward pass on Hopper by wgmma, operands brought by the copy engine.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D) in bf16 or fp16, lse (B, H, L) in fp32. Algorithm and layouts: flash_sm90.hpp. This is the
// first rung, warp specialisation alone: softmax and products of a warpgroup do not overlap yet.
//
// Tiles: D <= 64 three warpgroups of 64 rows, D <= 128 two, 128 keys a block, two places each for K and V. One block an SM.
//
// Work: 4 D flops and one exponential a visible pair, whole blocks of keys at the ends of a row's range. Bytes: K and V once per block of
// rows, mostly from L2. Accumulation fp32, weights rounded to 16 bits before P V. Bits do not depend on the order of blocks.
//
// Right choice: on Hopper, where mma.sync reaches a good half of the tensor cores' rate. Preconditions: compute capability 9.0; D <= 128, a multiple of 8.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/flash_sm90.hpp"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/tensor_map.cuh"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::attention {
namespace {

using cuda::HopperMachine;
using Job = FlashSm90Job<HopperMachine>;

constexpr int kAlignment_bytes = 1024;  // of the tiles; a launch's shared memory begins anywhere

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_sm90(const __grid_constant__ Job job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension.
template <class F>
void with_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<FlashSm90<HopperMachine, T, 64, 3>>();
    f.template operator()<FlashSm90<HopperMachine, T, 128, 2>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct OnHopper final : Prepared {
  OnHopper(const AttentionProblem& p, Tensors& host, int keys)
      : tensors(p, host),
        job{tensors.job(), cuda::tensor_map(tensors.job().q, p.batch * p.heads, p.seq, p.head_dim, 64),
            cuda::tensor_map(tensors.job().k, p.batch * p.kv_heads, p.seq, p.head_dim, keys),
            cuda::tensor_map(tensors.job().v, p.batch * p.kv_heads, p.seq, p.head_dim, keys)} {}
  void collect(Tensors& host) const override { tensors.collect(host); }

  AttentionOnDevice tensors;
  Job job;
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.head_dim > 128 || p.head_dim % 8 != 0) return concat("head_dim = ", p.head_dim, ": this kernel takes multiples of 8 up to 128");
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const device::Properties device = device::properties(device::current());
  if (device.major != 9 || device.minor != 0)
    throw Error(ErrorKind::unavailable, concat("needs compute capability 9.0 (Hopper); ", device.name, " has ", device.major, '.', device.minor));
  std::unique_ptr<Prepared> prepared;
  with_body(p, [&]<class Body>() {
    BS_CUDA(cudaFuncSetAttribute(flash_sm90<Body>, cudaFuncAttributeMaxDynamicSharedMemorySize, Body::kSharedBytes + kAlignment_bytes));
    prepared = std::make_unique<OnHopper>(p, tensors, Body::kKeys);
  });
  return prepared;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const Job& job = static_cast<const OnHopper&>(*context.prepared).job;
  with_body(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    flash_sm90<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + kAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/flash_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "warp-specialised on Hopper: the copy engine feeds warpgroups that multiply by wgmma",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
