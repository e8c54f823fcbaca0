// SPDX-License-Identifier: Apache-2.0
// selective_allgather_cpu: the selective scan with the steps cut over ranks, contiguous runs in rank order;
// all carries go to all ranks.
//
// Shapes per rank: u, delta, z, out (B, l, C), B, C (B, l, G, N) with l its share of L (may be 0); A (C, N),
// D, delta_bias (C), h0, h_last (B, C, N) whole on every rank. Formulas in selective.hpp.
//
// Algorithm: "state first", selective_share.hpp. One all-gather of the records (sum d; N end states), then
// rank r applies those of the r lower ranks to h0 in turn: the form of LASP-2 (Sun et al. 2025) and
// recurrentgemma.
//
// Work: up to 2 of one rank's share, and r B C N exponentials for the records. Wire: P - 1 records of
// B C (1 + N) states and at most ceil(log2 P) messages of B C N for h_last, whatever L.
//
// Error against fp64: as the engine; the records are applied in the order of the steps.
//
// Right choice: few ranks (up to 16 or so), where one collective call has less latency than log2 P exchanges.
//
// Preconditions: link.size() == ranks; N <= 256 unless fp64; L may be smaller than P.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::allgather;

std::int64_t workspace_bytes(const Problem& problem) {
  return selective_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_selective_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_allgather_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; all carries to all ranks, state first",
    .supports = selective_share_limits,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
