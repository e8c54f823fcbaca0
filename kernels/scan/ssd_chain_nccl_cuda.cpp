// SPDX-License-Identifier: Apache-2.0
// ssd_chain_nccl_cuda: Mamba-2's scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; the state goes from rank to rank.
//
// Per rank: x, gated z (B, l, H, P), dt (B, l, H), B, C (B, l, G, N) -> out (B, l, H, P) in bf16 or fp16, l its share of L (may be 0); h0, h_last (B, H, P, N) in fp32, whole on
// every rank. Formulas: ssd.hpp. Passes: ssd_share_device.hpp, of which none is done twice for the ranks' sake: a work factor of 1 against ssd_split_mma_cuda.
//
// Exchange: rank r gets the state before its share from rank r - 1, takes it through its own record and passes it on before it scans: LASP's ring of states (Sun et al.
// 2024) with the local carries ready before the first hop. Wire: one message of a state a rank and slab, the least there is, and at most ceil(log2 P) of h_last, whatever L.
// A record: B H (1 + P N) fp32 numbers. Decays of a share are products of its chunks' exponentials: they may vanish, which is what is left of the state.
//
// Error against fp64: as ssd_split_mma_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency. Wrong: many ranks, as the last one waits for P - 1 hops.
// Preconditions: P and N multiples of 8, N <= 256; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_ssd_share(problem, tensors, context, Exchange::chain);
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chain_nccl_cuda",
    .op = "ssd",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over devices; the state goes from rank to rank, hidden by slabs of heads",
    .supports = takes_ssd_share,
    .prepare = prepare,
    .run = run_ssd_share,
}};

}  // namespace
}  // namespace bench::scan
