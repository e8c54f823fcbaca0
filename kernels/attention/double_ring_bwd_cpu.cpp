// SPDX-License-Identifier: Apache-2.0
// Backward double ring attention: ring_bwd_cpu's computation with the blocks of keys and values, and the sums
// of dK and dV behind them, going round in two rings, a fast one inside each group of ranks and a slow one
// between the groups: dV_j = sum over all ranks' rows i of P_ij dout_i, dK_j = sum dS_ij q_i / sqrt(D), dQ_i
// = sum over all blocks' keys j of dS_ij k_j / sqrt(D).
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare.
// Algorithm: LoongTrain (Gu et al. 2024, arXiv 2406.18485); the op list is double_ring_bwd_schedule's, with
// double_ring_cpu's groups. A group sums its part of a block before it leaves for the next group.
// Accumulation, masking, layouts, ragged and empty shares are ring_bwd_cpu's; the order in which a rank meets
// the blocks differs, so results agree to rounding. One rank runs flash_tiled_bwd_cpu, a prime P a plain
// ring. Bytes on the wire per rank: P-1 shares of K and V in the tensors' dtype and P-1 of dK and dV in fp32
// (fp64), as in the ring, of which only P / inner - 1 each cross groups, hidden behind `inner` computes, or
// `inner` - 1 for the sums. Right when links between groups are slower than those inside; two blocks and
// three sums more of memory than the ring.
#include "kernels/attention/double_ring_bwd_schedule.hpp"
#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing_bwd.hpp"

namespace bench::attention {
namespace {

std::vector<RingBwdOp> schedule(int ranks, int rank) {
  return double_ring_bwd_schedule(ranks, rank, inner_ring_size(ranks));
}

std::int64_t workspace_bytes(const Problem& problem) {
  return kv_passing_bwd_workspace_bytes(problem, schedule);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_bwd(problem, tensors, context, schedule);
}

const Registrar<Kernel> registrar{{
    .name = "attention/double_ring_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about =
        "backward in two nested rings over a Link: K/V and fp32 sums of dK and dV inside and between groups",
    .supports = supports_no_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd,
}};

}  // namespace
}  // namespace bench::attention
