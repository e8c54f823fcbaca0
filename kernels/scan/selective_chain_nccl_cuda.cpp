// SPDX-License-Identifier: Apache-2.0
// selective_chain_nccl_cuda: Mamba-1's selective scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; the state goes from rank to rank.
//
// Per rank: u, delta, z (B, l, C), B, C (B, l, G, N) -> out (B, l, C) in fp32, bf16 or fp16, l its share of L (may be 0); A (C, N), D, delta_bias (C) and h0, h_last (B, C, N) in
// fp32, whole on every rank. Formulas: selective.hpp. Passes: selective_share_device.hpp. Each exponential is taken twice, a work factor of up to 2 against selective_cuda.
//
// Exchange: rank r gets the state before its share from rank r - 1, takes it through its own record and passes it on before it scans: LASP's ring of states (Sun et al.
// 2024) with the local carries ready before the first hop. Wire: one message of a state a rank and slab, the least there is, and at most ceil(log2 P) of h_last, whatever L.
// A record: B C (1 + N) fp32 numbers, the sum of d and N states a channel: the decay of a share is exp(A sum d), so sums travel, not products.
//
// Error against fp64: as selective_chunked_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks and the device, not on chance.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency. Wrong: many ranks, as the last one waits for P - 1 hops.
// Preconditions: N <= 256; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_device.hpp"
#include "kernels/scan/selective_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_selective_share(problem, tensors, context, Exchange::chain);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chain_nccl_cuda",
    .op = "selective",
    .backend = Backend::nccl,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over devices; the state goes from rank to rank, state first, hidden by slabs of channels",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run_selective_share,
}};

}  // namespace
}  // namespace bench::scan
