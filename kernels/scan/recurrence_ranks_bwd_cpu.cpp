// SPDX-License-Identifier: Apache-2.0
// recurrence_ranks_bwd_cpu: the backward pass of h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a
// contiguous run each; carries by an exclusive scan from the last rank to the first.
//
// Shapes per rank: a, h, dh, da, db (B, l, C) with l its share of L (may be 0); h0, dh_last, dh0 (B, C) whole
// on every rank. Formulas in recurrence_bwd.hpp; h is the saved forward result.
//
// Algorithm: recurrence_bwd_share.hpp. The records are those of the forward pass, so they combine and cost
// the same; only the ranks count from the other end.
//
// Work: 7/5 of one rank's share of the traffic. Wire: ceil(log2 P) + 1 messages of 2 B C states, one row of h
// (B C elements) and at most ceil(log2 P) messages of B C states for dh0, whatever L.
//
// Error against fp64: as sequential plus some roundings per doubling of P.
//
// Right choice: many ranks, where the chain's P - 1 hops and the all-gather's P - 1 records grow long.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_bwd_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::exscan;

std::int64_t workspace_bytes(const Problem& problem) {
  return recurrence_bwd_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_recurrence_bwd_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_ranks_bwd_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward, steps cut over ranks; carries by an exclusive scan in reverse",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
