// SPDX-License-Identifier: Apache-2.0
// flash_bwd_sm90_cuda: attention's backward pass on Hopper by wgmma and the copy engine.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D), and the forward pass's out and lse -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D) in bf16 or fp16. Algorithm and
// layouts: flash_bwd_sm90.hpp. Three launches: delta = rowsum(dO * O) and cleared sums (bwd_rows.hpp), the main kernel, which adds to fp32 sums of dQ, and
// those rounded.
//
// Tiles: 128 keys a block, 64 for each of two warpgroups; D <= 64 128 rows, D <= 128 64 rows, two places each; 194 KB of shared memory, one block an SM.
//
// Work: 10 D flops and one exponential a visible pair, whole blocks at the ends of what a row sees. Bytes: Q and dO once per 128 keys, and as many additions
// of 4 D bytes to dQ's sums, mostly in L2. Parallel over keys and key/value heads only: few long grouped heads leave SMs idle.
// Accumulation fp32; P and dS are rounded to 16 bits before the products that follow. dk and dv have the same bits in every run; dq, whose sums are added up in
// the order in which blocks come, has not.
//
// Right choice: on Hopper. Preconditions: compute capability 9.0; D <= 128, a multiple of 8.
#include "kernels/attention/flash_bwd_sm90.hpp"

#include <memory>

#include "kernels/attention/bwd_launch.cuh"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/tensor_map.cuh"

namespace bench::attention {
namespace {

using cuda::HopperMachine;
using Job = FlashBwdSm90Job<HopperMachine>;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_bwd_sm90(const __grid_constant__ Job job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type and head dimension.
template <class F>
void with_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    if (p.head_dim <= 64) return f.template operator()<T, FlashBwdSm90<HopperMachine, T, 64, 128>>();
    f.template operator()<T, FlashBwdSm90<HopperMachine, T, 128, 64>>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct OnHopper final : AttentionBwdOnDevice {
  OnHopper(const AttentionProblem& p, Tensors& tensors, int rows, int columns, int keys)
      : AttentionBwdOnDevice(p, tensors, rows, columns, false),
        hopper_job{job(), cuda::tensor_map(job().q, p.batch * p.heads, p.seq, p.head_dim, rows),
                   cuda::tensor_map(job().k, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys),
                   cuda::tensor_map(job().v, p.batch * p.kv_heads, p.kv_length(), p.head_dim, keys),
                   cuda::tensor_map(job().dout, p.batch * p.heads, p.seq, p.head_dim, rows)} {}
  Job hopper_job;
};

std::string supports(const Problem& problem) { return needs_whole_chunks(problem_as<AttentionProblem>(problem).head_dim, 128); }

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const device::Properties device = device::properties(device::current());
  if (device.major != 9 || device.minor != 0)
    throw Error(ErrorKind::unavailable, concat("needs compute capability 9.0 (Hopper); ", device.name, " has ", device.major, '.', device.minor));
  std::unique_ptr<Prepared> prepared;
  with_body(p, [&]<class T, class Body>() {
    take_shared_memory(flash_bwd_sm90<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
    save_forward(p, tensors, context);
    prepared = std::make_unique<OnHopper>(p, tensors, Body::kRows, Body::kColumns, Body::kKeys);
  });
  return prepared;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const Job& job = static_cast<const OnHopper&>(*context.prepared).hopper_job;
  const auto stream = static_cast<cudaStream_t>(context.stream);
  with_body(problem_as<AttentionProblem>(problem), [&]<class T, class Body>() {
    launch_part<BwdRows<HopperMachine, T, Body::kColumns, Body::kRows>>(job, stream);
    flash_bwd_sm90<Body><<<Body::blocks(job), Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, stream>>>(job);
    BS_CUDA(cudaGetLastError());
    launch_part<BwdQueries<HopperMachine, T, typename Body::Slots>>(job, stream);
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/flash_bwd_sm90_cuda",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "two warpgroups of 64 keys walk the rows by wgmma, fed and dQ added up by the copy engine",
    .supports = supports,
    .workspace_bytes = bwd_workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
