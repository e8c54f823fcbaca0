// SPDX-License-Identifier: Apache-2.0
// ssd_fused128_sm90_cuda: Mamba-2's scan in one launch on Hopper by wgmma, in chunks of 128 steps, operands brought by the copy engine.
//
// x, gated z (B, L, H, P), dt (B, L, H), B, C (B, L, G, N) -> out (B, L, H, P) in bf16 or fp16; h0 -> h_last (B, H, P, N) in fp32. Formulas: ssd.hpp.
//
// Algorithm: ssd_fused128_mma_cuda's, the chunked form of Dao and Gu 2024 (section 6) in one kernel, with the roles of FlashAttention-3 (Shah et al. 2024): a block
// takes two parts (64 elements of a head) of one group through all of their steps, a warpgroup each with the part's state in registers, from one copy of B
// and C; a third warpgroup fetches and makes the decays (ssd_fused_sm90.hpp). No atomics: the bits do not depend on chance.
//
// Work: B L (H (Q (3/4 (P + N)) + 3 P N)) multiply-adds with Q = 128: of a chunk's pairs three quarters, tiles of 64 steps on the diagonal whole; C B^T made anew
// for every head, and what is added to the state multiplied twice. Up to 3/4 Q + 4 exponentials a step and head. Bytes: the least possible for x, out and z; B and C
// once for two parts from L2. Shared memory: 206 KB at N > 64, 158 KB below; one block an SM.
// Error against fp64: ssd_fused128_mma_cuda's. In fp16 intermediate weights C B d and d x must stay below 65504.
//
// Right choice: on Hopper where B H, for heads of 128 elements twice that, is at least twice the SMs. Wrong for few heads (half of the SMs idle sooner than
// with ssd_fused128_mma_cuda), where heads of up to 64 elements share their B and C with none (H = G: a warpgroup idles), and for few states: below 64 the tiles are
// filled up with zeros. Preconditions: compute capability 9.0; P and N multiples of 8, N <= 128.
#include <cuda_runtime.h>

#include <algorithm>
#include <memory>

#include "kernels/cuda/hopper_device.cuh"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tensor_map.cuh"
#include "kernels/scan/ssd_fused_sm90.hpp"
#include "kernels/scan/ssd_mma_limits.hpp"
#include "kernels/scan/ssd_on_device_cuda.hpp"

namespace bench::scan {
namespace {

using cuda::HopperMachine;
using HopperJob = SsdSm90Job<HopperMachine>;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) ssd_fused_sm90(const __grid_constant__ HopperJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and number of states.
template <class F>
void with_body(const SsdProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.state <= 64) return f.template operator()<SsdFusedSm90<HopperMachine, T, 2, 64>>();
    f.template operator()<SsdFusedSm90<HopperMachine, T, 2, 128>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct OnHopper final : SsdOnDevice {
  OnHopper(const SsdProblem& p, Tensors& tensors) : SsdOnDevice(p, tensors) {
    const auto map = [&](const void* base, std::int64_t rows, std::int64_t columns, int steps) { return cuda::tensor_map(base, p.batch, p.seq, rows, columns, steps); };
    hopper_job = {job(), map(job().x, p.heads, p.head_dim, kSm90Steps), map(job().b, p.groups, p.state, kSm90Steps), map(job().c, p.groups, p.state, kSm90Half)};
  }
  HopperJob hopper_job;
};

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  const std::string reason = needs_ssd_tiles(p, 128);
  if (!reason.empty()) return reason;
  constexpr std::int64_t kMost = (std::int64_t{1} << 39) - 1;  // the copy engine's strides are below 2^40 bytes
  if (p.seq * std::max(p.heads * p.head_dim, p.groups * p.state) > kMost) return "this kernel takes entries of less than 2^39 elements";
  return {};
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  cuda::hopper_device();
  with_body(p, [&]<class Body>() { cuda::take_shared_memory(ssd_fused_sm90<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes); });
  return std::make_unique<OnHopper>(p, tensors);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const HopperJob& job = static_cast<const OnHopper&>(*context.prepared).hopper_job;
  with_body(problem_as<SsdProblem>(problem), [&]<class Body>() {
    ssd_fused_sm90<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(job);
    BS_CUDA(cudaGetLastError());
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_fused128_sm90_cuda",
    .op = "ssd",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .about = "one launch on Hopper, chunks of 128 steps: the copy engine feeds two heads, a warpgroup each, that multiply by wgmma",
    .supports = supports,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
