// SPDX-License-Identifier: Apache-2.0
// recurrence_allgather_nccl_cuda: h_t = a_t h_{t-1} + b_t with the steps cut over ranks that have a device each, a contiguous run of steps a rank; all carries to all ranks.
//
// Per rank: a, b, h (B, l, C) or (B, C, l) in fp32, bf16 or fp16, l its share of L (may be 0); h0, h_last (B, C) in fp32, whole on every rank. See recurrence.hpp.
// Passes: recurrence_share_device.hpp. A share is read twice, a work factor of 5/3 of the least traffic, as much as recurrence_reduce_scan_cuda's on one rank.
//
// Exchange: one all-gather of the shares' records, then every rank takes h0 through those of the lower ranks, and through all for h_last: the form of LASP-2 (Sun
// et al. 2025) and recurrentgemma. Wire: P - 1 messages of a record a rank, all of them at once, and none for h_last, whatever L.
// A record: 2 B C fp32 numbers. A product of decays must not leave fp32's range unless what it meets is zero.
//
// Error against fp64: as recurrence_reduce_scan_cuda, and some roundings of fp32 a rank. The bits depend on the number of ranks, not on chance.
//
// Right choice: up to some 16 ranks, where one exchange has less latency than log2 P one after the other. Wrong: many ranks, as memory and wire hold P records.
// Preconditions: real numbers; L may be smaller than the number of ranks.
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence_share_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  return prepare_recurrence_share(problem, tensors, context, Exchange::allgather);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_allgather_nccl_cuda",
    .op = "recurrence",
    .backend = Backend::nccl,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over devices; all carries to all ranks, state first, hidden by slabs of channels",
    .supports = takes_recurrence_share,
    .prepare = prepare,
    .run = run_recurrence_share,
}};

}  // namespace
}  // namespace bench::scan
