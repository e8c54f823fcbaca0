// SPDX-License-Identifier: Apache-2.0
// selective_chain_cpu: the selective scan with the steps cut over ranks, contiguous runs in rank order; the
// states go from rank to rank.
//
// Shapes per rank: u, delta, z, out (B, l, C), B, C (B, l, G, N) with l its share of L (may be 0); A (C, N),
// D, delta_bias (C), h0, h_last (B, C, N) whole on every rank. Formulas in selective.hpp.
//
// Algorithm: "state first", selective_share.hpp. Rank r receives the states before its share from rank r - 1,
// makes of them those after it, exp(A sum d) h + end, and passes these on before it scans.
//
// Work: up to 2 of one rank's share. Wire: one message of B C N states, the least there is, and at most
// ceil(log2 P) of them for h_last, whatever L; the last rank starts after P - 1 hops.
//
// Error against fp64: as the engine; the states are combined in the order of the steps.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency.
//
// Preconditions: link.size() == ranks; N <= 256 unless fp64; L may be smaller than P.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::chain;

std::int64_t workspace_bytes(const Problem& problem) {
  return selective_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_selective_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chain_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; the states go from rank to rank, state first",
    .supports = selective_share_limits,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
