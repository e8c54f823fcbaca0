// SPDX-License-Identifier: Apache-2.0
// ssd_ranks_nccl_cuda: Mamba-2's scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; carries by recursive doubling.
//
// Per rank: x, gated z (B, l, H, P), dt (B, l, H), B, C (B, l, G, N) -> out (B, l, H, P) in bf16 or fp16, l its share of L (may be 0); h0, h_last (B, H, P, N) in fp32, whole on
// every rank. Formulas: ssd.hpp. Passes: ssd_share_device.hpp, of which none is done twice for the ranks' sake: a work factor of 1 against ssd_split_mma_cuda.
//
// Exchange: an exclusive scan of the records by recursive doubling (Hillis and Steele 1986). Wire: at most ceil(log2 P) messages of a record, one after the other, and as
// many of h_last, whatever L.
// A record: B H (1 + P N) fp32 numbers. Decays of a share are products of its chunks' exponentials: they may vanish, which is what is left of the state.
//
// Error against fp64: as ssd_split_mma_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: many ranks. Wrong: up to some 16, where the all-gather's messages go at once. Of several rounds the first alone is hidden by the other slab.
// Preconditions: P and N multiples of 8, N <= 256; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_ssd_share(problem, tensors, context, Exchange::exscan);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_ranks_nccl_cuda",
    .op = "ssd",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over devices; carries by recursive doubling, hidden by slabs of heads",
    .supports = takes_ssd_share,
    .prepare = prepare,
    .run = run_ssd_share,
}};

}  // namespace
}  // namespace bench::scan
