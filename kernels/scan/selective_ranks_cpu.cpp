// SPDX-License-Identifier: Apache-2.0
// selective_ranks_cpu: the selective scan with the steps cut over ranks, contiguous runs in rank order;
// carries by an exclusive scan.
//
// Shapes per rank: u, delta, z, out (B, l, C), B, C (B, l, G, N) with l its share of L (may be 0); A (C, N),
// D, delta_bias (C), h0, h_last (B, C, N) whole on every rank. Formulas in selective.hpp.
//
// Algorithm: "state first", selective_share.hpp. The records of the ranks, earlier on the left, combine as
// (s1, e1) o (s2, e2) = (s1 + s2, exp(A s2) e1 + e2), by recursive doubling (Hillis & Steele 1986).
//
// Work: up to 2 of one rank's share. Wire: ceil(log2 P) + 1 messages of B C (1 + N) states and at most
// ceil(log2 P) of B C N for h_last, whatever L.
//
// Error against fp64: as the engine, plus some roundings per doubling of P.
//
// Right choice: many ranks, where the chain's P - 1 hops and the all-gather's P - 1 records grow long.
//
// Preconditions: link.size() == ranks; N <= 256 unless fp64; L may be smaller than P.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::exscan;

std::int64_t workspace_bytes(const Problem& problem) {
  return selective_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_selective_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_ranks_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; carries by an exclusive scan, state first",
    .supports = selective_share_limits,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
