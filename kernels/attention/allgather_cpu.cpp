// SPDX-License-Identifier: Apache-2.0
// All-gather attention: every rank collects the keys and values of all ranks first and then computes its
// query rows: out_i = sum_j 2^(s_ij - m_i) v_j / sum_j 2^(s_ij - m_i), s = log2(e) / sqrt(D) q_i . k_j.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). The default of most context-parallel libraries; the op list is
// allgather_schedule's. State, masking, layouts, ragged and empty shares are ring_cpu's; one rank runs
// flash_tiled_cpu.
// Bytes on the wire per rank: (P-1) shares of K and V in the tensors' dtype, Hkv heads wide, as in the ring,
// but all of them before the first tile: no wire time is hidden, and K and V of the whole sequence, 2 B Hkv L
// D elements, lie in every rank's memory. Right where the wire is fast and L/P too short to hide a hop (no
// compute is slowed by traffic beside it); the base line that shows what the ring's overlap is worth.
#include "kernels/attention/allgather_schedule.hpp"
#include "kernels/attention/kv_passing.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  return prepare_kv_passing(problem, allgather_schedule(context.link->size(), context.link->rank()));
}

const Registrar<Kernel> registrar{{
    .name = "attention/allgather_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "all-gather over a Link: every rank collects all K/V first, nothing hidden",
    .supports = supports_no_mask,
    .workspace_bytes = kv_passing_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing,
}};

}  // namespace
}  // namespace bench::attention
