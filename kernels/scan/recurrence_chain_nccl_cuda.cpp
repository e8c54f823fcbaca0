// SPDX-License-Identifier: Apache-2.0
// recurrence_chain_nccl_cuda: h_t = a_t h_{t-1} + b_t with the steps cut over ranks that have a device each, a contiguous run of steps a rank; the state goes from rank to rank.
//
// Per rank: a, b, h (B, l, C) or (B, C, l) in fp32, bf16 or fp16, l its share of L (may be 0); h0, h_last (B, C) in fp32, whole on every rank. See recurrence.hpp.
// Passes: recurrence_share_device.hpp. A share is read twice, a work factor of 5/3 of the least traffic, as much as recurrence_reduce_scan_cuda's on one rank.
//
// Exchange: rank r gets the state before its share from rank r - 1, takes it through its own record and passes it on before it scans: LASP's ring of states (Sun et al.
// 2024) with the local carries ready before the first hop. Wire: one message of a state a rank and slab, the least there is, and at most ceil(log2 P) of h_last, whatever L.
// A record: 2 B C fp32 numbers. A product of decays must not leave fp32's range unless what it meets is zero.
//
// Error against fp64: as recurrence_reduce_scan_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: few ranks, or a wire whose bandwidth counts more than its latency. Wrong: many ranks, as the last one waits for P - 1 hops.
// Preconditions: real numbers; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_recurrence_share(problem, tensors, context, Exchange::chain);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_chain_nccl_cuda",
    .op = "recurrence",
    .backend = Backend::nccl,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over devices; the state goes from rank to rank, state first, hidden by slabs of channels",
    .supports = takes_recurrence_share,
    .prepare = prepare,
    .run = run_recurrence_share,
}};

}  // namespace
}  // namespace bench::scan
