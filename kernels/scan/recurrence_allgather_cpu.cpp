// SPDX-License-Identifier: Apache-2.0
// recurrence_allgather_cpu: h_t = a_t * h_{t-1} + b_t with the steps cut over ranks, a contiguous run each;
// all carries go to all ranks.
//
// Shapes per rank: a, b, h (B, l, C) with l its share of L (may be 0); h0, h_last (B, C) whole on every rank.
//
// Algorithm: "state first", recurrence_share.hpp. One all-gather of the records (prod a, end state), then
// rank r applies those of the r lower ranks to h0 in turn: the form of LASP-2 (Sun et al. 2025) and
// recurrentgemma.
//
// Work: 5/3 of one rank's share of the traffic, and 2 B C r FLOPs for the records. Wire: P - 1 records of 2 B
// C states and at most ceil(log2 P) messages of B C for h_last, whatever L.
//
// Error against fp64: as sequential; the records are applied in the order of the steps.
//
// Right choice: few ranks (up to 16 or so), where one collective call has less latency than log2 P exchanges.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads cut the channels of a rank.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::allgather;

std::int64_t workspace_bytes(const Problem& problem) {
  return recurrence_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_recurrence_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_allgather_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; all carries to all ranks, state first",
    .supports = needs_time_middle,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
