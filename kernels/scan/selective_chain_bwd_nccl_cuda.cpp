// SPDX-License-Identifier: Apache-2.0
// selective_chain_bwd_nccl_cuda: the backward pass of Mamba-1's selective scan with the steps cut over ranks that have a device each, a contiguous run of steps a rank; states go up the ranks and gradients down.
//
// Per rank: u, delta, z, dout, du, ddelta, dz (B, l, C), B, C (B, l, G, N) in fp32, bf16 or fp16, l its share of L (may be 0), dB, dC (B, l, G, N) in fp32; A, dA (C, N), D, delta_bias,
// dD, ddelta_bias (C) and h0, dh_last, dh0 (B, C, N) in fp32, whole on every rank. Formulas: selective_bwd.hpp. Passes: selective_bwd_share_device.hpp.
//
// Work: 2 B l C N exponentials, as selective_bwd_ordered_cuda on one rank, and one for every 16 steps (8 beyond N = 128) and state; some 30 B l C N FLOPs. Bytes: u, delta, z, dout, B and C twice, and
// for every 16 steps N states a channel, written twice and read twice.
//
// Exchange: rank r gets the state before its share from rank r - 1, takes it through its own record and passes it on; then the same with gradients from rank r + 1. Wire: one message of
// a state a rank, slab and direction, the least there is, at most ceil(log2 P) of dh0, and P - 1 of the sums, whatever L.
// A record: B C (1 + N) fp32 numbers, the sum of d and N states a channel: the decay of a share is exp(A sum d), the same in both directions. The sums: C (N + 2) numbers.
//
// Error against fp64: as selective_bwd_ordered_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance and not on the device.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency. Wrong: many ranks, as there are 2 (P - 1) hops.
// Steps of a share go one after the other, as on one rank: B C channels have to fill the device. Preconditions: N <= 256; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_bwd_share_device.hpp"
#include "kernels/scan/selective_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_selective_bwd_share(problem, tensors, context, Exchange::chain);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chain_bwd_nccl_cuda",
    .op = "selective",
    .backend = Backend::nccl,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward, steps cut over devices; states go up the ranks and gradients down, a share surveyed once for both",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run_selective_bwd_share,
}};

}  // namespace
}  // namespace bench::scan
