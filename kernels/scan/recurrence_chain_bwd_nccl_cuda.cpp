// SPDX-License-Identifier: Apache-2.0
// recurrence_chain_bwd_nccl_cuda: the backward pass of h_t = a_t h_{t-1} + b_t with the steps cut over ranks that have a device each, a contiguous run of steps a rank; the gradient goes from rank to rank, the last one first.
//
// Per rank: a, h, dh, da, db (B, l, C) or (B, C, l) in fp32, bf16 or fp16, l its share of L (may be 0); h0, dh_last, dh0 (B, C) in fp32, whole on every rank. Formulas:
// recurrence_bwd.hpp; h is the saved forward result. Passes: recurrence_bwd_share_device.hpp. a and dh are read twice, 7/5 of the least traffic, as much as
// recurrence_reduce_scan_bwd_cuda's on one rank.
//
// Exchange: rank r gets the gradient behind its share from rank r + 1, takes it through its own record and passes it on before it scans. Wire: one message of a state a rank and
// slab, the least there is, one of a row of h, and at most ceil(log2 P) of dh0, whatever L.
// A record: 2 B C fp32 numbers; a row of h: B C of them, for the next rank's first da. A product of decays must not leave fp32's range unless what it meets is zero.
//
// Error against fp64: as recurrence_reduce_scan_bwd_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency. Wrong: many ranks, as the first one waits for P - 1 hops.
// Preconditions: real numbers; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence_bwd_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_recurrence_bwd_share(problem, tensors, context, Exchange::chain);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chain_bwd_nccl_cuda",
    .op = "recurrence",
    .backend = Backend::nccl,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward, steps cut over devices; the gradient goes from rank to rank, hidden by slabs of channels",
    .supports = takes_recurrence_bwd_share,
    .prepare = prepare,
    .run = run_recurrence_bwd_share,
}};

}  // namespace
}  // namespace bench::scan
