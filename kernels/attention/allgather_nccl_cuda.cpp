// SPDX-License-Identifier: Apache-2.0
// allgather_nccl_cuda: attention between devices, all keys and values gathered before any is used: what most libraries do, and what the ring's overlap is
// worth shows against.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D) in bf16 or fp16, lse (B, H, n) in fp32. State, accuracy and hops as
// ring_nccl_cuda. The op list is allgather_schedule's, which allgather_cpu plays, too: P-1 exchanges point to point, two under way, so
// that shares of unequal length go without padding; then a launch a block. Memory for keys: all of it, P shares. Bytes on the wire a rank: (P-1) shares of
// K and V. Right for few ranks on a fast link, where a hop would not hide anyway. Preconditions: D <= 256, a multiple of 8.
#include "kernels/attention/allgather_schedule.hpp"

#include "kernels/attention/kv_passing_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_launch(problem, tensors, context, allgather_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/allgather_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "attention between devices: all K/V gathered first, then computed with block by block",
    .supports = supports_kv_passing_launch,
    .prepare = prepare,
    .run = run_kv_passing_launch,
}};

}  // namespace
}  // namespace bench::attention
