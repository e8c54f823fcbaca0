// SPDX-License-Identifier: Apache-2.0
// recurrence_chain_cpu: h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a contiguous run each; the
// state goes from rank to rank.
//
// Shapes per rank: a, b, h (B, l, C) with l its share of L (may be 0); h0, h_last (B, C) whole on every rank.
//
// Algorithm: "state first", recurrence_share.hpp. Rank r receives the state before its share from rank r - 1,
// applies its own record (prod a, end state) to it and passes the result on, before it scans: LASP's ring of
// states (Sun et al. 2024), with the local carries ready before the first hop.
//
// Work: 5/3 of one rank's share of the traffic. Wire: one message of B C states, the least there is, and at
// most ceil(log2 P) of B C for h_last, whatever L; the last rank starts after P - 1 hops.
//
// Error against fp64: as sequential; the states are combined in the order of the steps.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::chain;

std::int64_t workspace_bytes(const Problem& problem) {
  return recurrence_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_recurrence_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chain_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; the state goes from rank to rank, state first",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
