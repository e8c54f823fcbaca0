// SPDX-License-Identifier: Apache-2.0
// selective_chunked_bwd_cpu: the backward pass of the selective scan on one rank, 64 steps of 16 channels at a
// time; threads take runs of channels.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp.
//
// Algorithm: selective_bwd_share.hpp without an exchange: a first pass keeps the states every 64 steps, a second goes through
// the blocks from last to first, makes their states again and settles all gradients.
//
// Work: 2 B L C N exponentials and some 25 B L C N FLOPs. Bytes: the inputs twice, the outputs once, and 1 + N
// states per channel for every 64 steps.
//
// Error against fp64: some 10 eps; sums over steps go by blocks of 64, so theirs grows like sqrt(L / 64).
//
// Right choice: on one rank. Same bits in every call with the same number of threads. Preconditions: none.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_bwd_share.hpp"

namespace bench::scan {
namespace {

constexpr Exchange kExchange = Exchange::exscan;  // one rank has nobody to exchange with

std::int64_t workspace_bytes(const Problem& problem) {
  return selective_bwd_share_bytes(problem, kExchange);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  scan_selective_bwd_share(problem, tensors, context, kExchange);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunked_bwd_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward in blocks of 64 steps and 16 channels, threads over channels, states kept once a block",
    .supports = needs_plain_mixers,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
