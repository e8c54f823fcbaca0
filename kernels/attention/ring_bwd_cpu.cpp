// SPDX-License-Identifier: Apache-2.0
// Backward ring attention: every rank keeps its query rows and sums their dQ, the blocks of keys and values
// go round, and the sums of dK and dV travel with their block: dV_j = sum over all ranks' rows i of P_ij
// dout_i, dK_j = sum dS_ij q_i / sqrt(D), dQ_i = sum over all blocks' keys j of dS_ij k_j / sqrt(D).
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare.
// Algorithm: Liu, Zaharia, Abbeel 2023; the op list is ring_bwd_schedule's. Keys for the next step and sums
// of the last one are under way while the block at hand is computed by flash_tiled_bwd_cpu's code; with one
// rank this is flash_tiled_bwd_cpu. Layouts, masking by global positions, ragged shares and empty ranks as in
// ring_cpu: a rank that sees nothing of a block passes its sums on all the same. Work: 10 D flops and one
// exponential a visible pair. Bytes on the wire per rank: P-1 shares of K and V in the tensors' dtype and P-1
// of dK and dV in fp32 (fp64 for fp64 tensors), Hkv heads wide. Accumulation: all three gradients in fp32
// (fp64) over all hops, rounded once, so the error does not grow with P. Right when L/P is long enough to
// hide a hop: with e bytes an element it carries 1 + 4/e (fp64: 2) times what a forward hop does, beside 2.5
// times the work. Causal work is balanced only by zigzag and striped.
#include "kernels/attention/kv_passing_bwd.hpp"

namespace bench::attention {
namespace {

std::int64_t workspace_bytes(const Problem& problem) {
  return kv_passing_bwd_workspace_bytes(problem, ring_bwd_schedule);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_kv_passing_bwd(problem, tensors, context, ring_bwd_schedule);
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward ring over a Link: K/V shares go round, fp32 sums of dK and dV travel with them",
    .supports = supports_no_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing_bwd,
}};

}  // namespace
}  // namespace bench::attention
