// SPDX-License-Identifier: Apache-2.0
// ssd_allgather_bwd_nccl_cuda: the backward pass of Mamba-2's scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; all carries to all ranks.
//
// Per rank: x, dout, gated z (B, l, H, P), dt (B, l, H), B, C (B, l, G, N) in bf16 or fp16 -> dx, dz, ddt like x, z, dt, l its share of L (may be 0); dB, dC (B, l, G, N) in fp32; A, D,
// dt_bias, dA, dD, ddt_bias (H) and h0, dh_last, dh0 (B, H, P, N) in fp32, whole on every rank. Formulas: ssd_bwd.hpp. Passes: ssd_bwd_share_device.hpp.
//
// Work and bytes: those of ssd_bwd_mma_cuda for the share's l steps; the exchanges add some B H P N words that are written and read.
//
// Exchange: twice one all-gather of the shares' records; every rank takes h0 through those of the lower ranks, and dh_last through those of the higher ones, the last rank's first, and
// through all for dh0. Wire: to every other rank twice a message of a record, each time all of them at once, and one of the sums, whatever L.
// A record: B H (1 + P N) fp32 numbers. The sums: 3 H.
//
// Error against fp64: as ssd_bwd_mma_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: up to some 16 ranks, where one exchange has less latency than ceil(log2 ranks) one after the other. Wrong: many ranks, as memory and wire hold a record of each.
// Preconditions: P and N multiples of 8, N <= 128; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_bwd_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_ssd_bwd_share(problem, tensors, context, Exchange::allgather);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_allgather_bwd_nccl_cuda",
    .op = "ssd",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward on tensor cores, steps cut over devices; all carries to all ranks, hidden by slabs of heads",
    .supports = takes_ssd_bwd_share,
    .prepare = prepare,
    .run = run_ssd_bwd_share,
}};

}  // namespace
}  // namespace bench::scan
