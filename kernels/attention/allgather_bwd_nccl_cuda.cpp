// SPDX-License-Identifier: Apache-2.0
// allgather_bwd_nccl_cuda: backward attention between devices, all keys and values gathered before any is used, the parts of dK and dV reduce-scattered after
// the last: what most libraries do, and what the ring's overlap is worth shows against.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D), and the forward pass's out and lse -> dq (B, H, n, D), dk dv (B, Hkv, n, D) in bf16 or
// fp16. Hops, accumulation and error as ring_bwd_nccl_cuda. The op list is allgather_bwd_schedule's, which allgather_bwd_cpu plays, too: P-1 exchanges point to
// point, two under way, so that shares of unequal length go without padding; a launch a block; then P-1 more, round a ring, each added before the next is sent:
// in a fixed order, unlike a library's reduce-scatter.
//
// Bytes on the wire a rank: P-1 shares of K and V in 16 bits before the first block, P-1 of dK and dV in fp32 after the last, none hidden. Memory: K and V of
// the whole sequence, P shares, and P+1 shares of their sums in fp32. Right for few ranks on a fast link, where a hop would not hide anyway. Preconditions:
// D <= 256, a multiple of 8; 161 KB of shared memory a block.
#include "kernels/attention/allgather_bwd_schedule.hpp"

#include "kernels/attention/kv_passing_bwd_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_bwd_launch(problem, tensors, context, allgather_bwd_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/allgather_bwd_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward between devices: all K/V gathered first, fp32 parts of dK and dV reduce-scattered last",
    .supports = supports_kv_passing_launch,
    .workspace_bytes = kv_passing_bwd_launch_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd_launch,
}};

}  // namespace
}  // namespace bench::attention
