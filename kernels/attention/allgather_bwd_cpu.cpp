// SPDX-License-Identifier: Apache-2.0
// Backward all-gather attention: every rank collects the keys and values of all ranks, computes dQ_i = sum_j
// dS_ij k_j / sqrt(D) of its rows and its part of dV_j = sum_i P_ij dout_i and dK_j = sum_i dS_ij q_i /
// sqrt(D) of every key, and the parts are reduce-scattered.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare. The
// default of most context-parallel libraries; the op list is allgather_bwd_schedule's. Blocks are
// flash_tiled_bwd_cpu's; one rank runs that kernel. Masking, layouts, ragged and empty shares as in
// ring_bwd_cpu.
// Bytes on the wire per rank: (P-1) shares of K and V in the tensors' dtype before the first block and P-1 of
// dK and dV in fp32 (fp64 for fp64 tensors) after the last, Hkv heads wide: what the ring sends, none of it
// hidden. Memory: K and V of the whole sequence and, in fp32, its dK and dV, on every rank. Accumulation: all
// three gradients in fp32 (fp64), round a ring in a fixed order, rounded once. Right where the wire is fast
// and L/P too short to hide a hop; the base line that shows what the ring's overlap is worth.
#include "kernels/attention/allgather_bwd_schedule.hpp"
#include "kernels/attention/kv_passing_bwd.hpp"

namespace bench::attention {
namespace {

std::int64_t workspace_bytes(const Problem& problem) {
  return kv_passing_bwd_workspace_bytes(problem, allgather_bwd_schedule);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_bwd(problem, tensors, context, allgather_bwd_schedule);
}

const Registrar<Kernel> registrar{{
    .name = "attention/allgather_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward: all-gather of K/V, all computes, fp32 parts of dK and dV reduce-scattered",
    .supports = supports_no_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd,
}};

}  // namespace
}  // namespace bench::attention
