// SPDX-License-Identifier: Apache-2.0
// recurrence_ranks_cpu: h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a contiguous run each;
// carries by an exclusive scan.
//
// Shapes per rank: a, b, h (B, l, C) with l its share of L (may be 0); h0, h_last (B, C) whole on every rank.
//
// Algorithm: "state first", recurrence_share.hpp. The records of the ranks, earlier on the left, combine as
// (p1, e1) o (p2, e2) = (p1 p2, p2 e1 + e2), by recursive doubling (Hillis & Steele 1986).
//
// Work: 5/3 of one rank's share of the traffic. Wire: ceil(log2 P) + 1 messages of 2 B C states and at most
// ceil(log2 P) of B C for h_last, whatever L.
//
// Error against fp64: as sequential plus some roundings per doubling of P.
//
// Right choice: many ranks, where the chain's P - 1 hops and the all-gather's P - 1 records grow long.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::exscan;

std::int64_t workspace_bytes(const Problem& problem) {
  return recurrence_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_recurrence_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_ranks_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; carries by an exclusive scan, state first",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
