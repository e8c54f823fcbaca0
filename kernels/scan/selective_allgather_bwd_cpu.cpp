// SPDX-License-Identifier: Apache-2.0
// selective_allgather_bwd_cpu: the backward pass of the selective scan with the steps cut over ranks,
// contiguous runs in rank order; all carries of both directions go to all ranks.
//
// Shapes per rank: u, delta, z, dout, du, ddelta, dz (B, l, C), B, C, dB, dC (B, l, G, N) with l its share of
// L (may be 0); A, dA (C, N), D, delta_bias, dD, ddelta_bias (C), h0, dh_last, dh0 (B, C, N) whole on every
// rank. Formulas in selective_bwd.hpp.
//
// Algorithm: selective_bwd_share.hpp, 64 steps at a time from states kept in a first pass.
//
// Work: 2 B l C N exponentials and some 30 B l C N FLOPs a rank, on one rank or many.
// Wire: twice P - 1 records of B C (1 + N) states; C (N + 2) sums once, and at most ceil(log2 P) times those
// and B C N for dh0, whatever L.
//
// Error against fp64: some 10 eps; sums over steps go by blocks of 64, so theirs grows like sqrt(L / 64).
//
// Right choice: few ranks (up to 16 or so), where one collective call has less latency than log2 P exchanges.
//
// Preconditions: link.size() == ranks; L may be smaller than P. Threads take runs of channels; same bits in
// every call with the same P and threads.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_bwd_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::allgather;

std::int64_t workspace_bytes(const Problem& problem) {
  return selective_bwd_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_selective_bwd_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_allgather_bwd_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward, steps cut over ranks; all carries to all ranks, both ways",
    .supports = needs_plain_mixers,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
