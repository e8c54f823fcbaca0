// SPDX-License-Identifier: Apache-2.0
// double_ring_bwd_nccl_cuda: backward ring attention between devices in two levels: groups of about sqrt(P) ranks turn rings of their own, whose blocks, and the
// sums of dK and dV behind them, go from group to group.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D), and the forward pass's out and lse -> dq (B, H, n, D), dk dv (B, Hkv, n, D) in bf16 or
// fp16. Hops, accumulation and error as ring_bwd_nccl_cuda; the order of blocks differs, so results agree to rounding. The op list is double_ring_bwd_schedule's
// (LoongTrain, Gu et al. 2024, arXiv 2406.18485), which double_ring_bwd_cpu plays, too. All exchanges of a communicator go one after the other, on its one
// stream: what crosses groups has one compute to hide behind, not a whole inner ring as the list allows, as in double_ring_nccl_cuda.
//
// Bytes on the wire a rank: P-1 shares of K and V in 16 bits and P-1 of dK and dV in fp32, of each of which P / inner - 1 cross groups. Memory: up to five
// blocks of keys, seven of sums, dQ's sums. Right where groups are nodes with one network card a device. Preconditions: D <= 256, a multiple of 8; 161 KB of
// shared memory a block.
#include "kernels/attention/double_ring_bwd_schedule.hpp"

#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing_bwd_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const int ranks = context.link->size();
  return prepare_kv_passing_bwd_launch(problem, tensors, context, double_ring_bwd_schedule(ranks, context.link->rank(), inner_ring_size(ranks)));
}

const Registrar<Kernel> registrar{{
    .name = "attention/double_ring_bwd_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward ring between devices in two levels, sums of dK and dV behind the K/V on both",
    .supports = supports_kv_passing_launch,
    .workspace_bytes = kv_passing_bwd_launch_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd_launch,
}};

}  // namespace
}  // namespace bench::attention
