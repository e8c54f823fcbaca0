// SPDX-License-Identifier: Apache-2.0
// ssd_ranks_bwd_nccl_cuda: the backward pass of Mamba-2's scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; carries by recursive doubling.
//
// Per rank: x, dout, gated z (B, l, H, P), dt (B, l, H), B, C (B, l, G, N) in bf16 or fp16 -> dx, dz, ddt like x, z, dt, l its share of L (may be 0); dB, dC (B, l, G, N) in fp32; A, D,
// dt_bias, dA, dD, ddt_bias (H) and h0, dh_last, dh0 (B, H, P, N) in fp32, whole on every rank. Formulas: ssd_bwd.hpp. Passes: ssd_bwd_share_device.hpp.
//
// Work and bytes: those of ssd_bwd_mma_cuda for the share's l steps; the exchanges add some B H P N words that are written and read.
//
// Exchange: an exclusive scan of the records in either direction, by recursive doubling (Hillis and Steele 1986). Wire: at most 2 ceil(log2 ranks) messages of a record, one
// after the other, at most ceil(log2 ranks) of dh0, and one of the sums to every other rank, whatever L.
// A record: B H (1 + P N) fp32 numbers. The sums: 3 H.
//
// Error against fp64: as ssd_bwd_mma_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: many ranks. Wrong: up to some 16, where the all-gather's messages go at once. Of several rounds the first alone is hidden by the other slab.
// Preconditions: P and N multiples of 8, N <= 128; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_bwd_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_ssd_bwd_share(problem, tensors, context, Exchange::exscan);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_ranks_bwd_nccl_cuda",
    .op = "ssd",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward on tensor cores, steps cut over devices; carries by recursive doubling, hidden by slabs of heads",
    .supports = takes_ssd_bwd_share,
    .prepare = prepare,
    .run = run_ssd_bwd_share,
}};

}  // namespace
}  // namespace bench::scan
