// SPDX-License-Identifier: Apache-2.0
// recurrence_chain_bwd_cpu: the backward pass of h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a
// contiguous run each; the state goes from rank to rank, from the last to the first.
//
// Shapes per rank: a, h, dh, da, db (B, l, C) with l its share of L (may be 0); h0, dh_last, dh0 (B, C) whole
// on every rank. Formulas in recurrence_bwd.hpp; h is the saved forward result.
//
// Algorithm: recurrence_bwd_share.hpp, with the chain of recurrence_chain_cpu in reverse.
//
// Work: 7/5 of one rank's share of the traffic. Wire: one message of B C states, one row of h (B C elements)
// and at most ceil(log2 P) messages of B C states for dh0, whatever L; the first rank starts after P - 1
// hops.
//
// Error against fp64: as sequential; the states are combined in the order of the steps.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_bwd_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::chain;

std::int64_t workspace_bytes(const Problem& problem) {
  return recurrence_bwd_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_recurrence_bwd_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chain_bwd_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward, steps cut over ranks; the state goes from rank to rank in reverse",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
