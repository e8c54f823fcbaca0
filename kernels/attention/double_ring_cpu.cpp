// SPDX-License-Identifier: Apache-2.0
// Double ring attention: ring_cpu's computation with the blocks of keys and values going round in two rings,
// a fast one inside each group of ranks and a slow one between the groups.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). Algorithm: LoongTrain (Gu et al. 2024, arXiv 2406.18485); the op list is
// double_ring_schedule's, with inner rings of the largest divisor of P not above sqrt(P), consecutive ranks.
// State, masking, layouts, ragged and empty shares are ring_cpu's; the order in which a rank meets the blocks
// differs, so results agree to rounding. One rank runs flash_tiled_cpu, a prime P a plain ring.
// Bytes on the wire per rank: (P-1) shares of K and V, as in the ring, of which only P / inner - 1 cross
// groups, each hidden behind `inner` computes: the sequence that hides a hop between groups is `inner` times
// shorter than the ring's. Right when links between groups are slower than those inside; two blocks more of
// memory than the ring.
#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  const int ranks = context.link->size();
  return prepare_kv_passing(problem,
                            double_ring_schedule(ranks, context.link->rank(), inner_ring_size(ranks)));
}

const Registrar<Kernel> registrar{{
    .name = "attention/double_ring_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "two nested rings over a Link: K/V shares go round inside groups and, slower, between them",
    .supports = supports_no_mask,
    .workspace_bytes = kv_passing_workspace_bytes,
    .prepare = prepare,
    .run = run_kv_passing,
}};

}  // namespace
}  // namespace bench::attention
