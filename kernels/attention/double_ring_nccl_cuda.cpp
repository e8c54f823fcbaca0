// SPDX-License-Identifier: Apache-2.0
// double_ring_nccl_cuda: ring attention between devices in two levels: groups of about sqrt(P) ranks turn rings of their own, whose blocks come from the
// group before.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D) in bf16 or fp16, lse (B, H, n) in fp32. State, accuracy and hops as
// ring_nccl_cuda. The op list is double_ring_schedule's, which double_ring_cpu plays, too. All exchanges of a communicator go one
// after the other, on its one stream: so here a block from another group has one compute to hide behind, not a whole inner ring as the list allows, and what
// is left of the idea is that every rank has a link between groups of its own in use. Slots: the own block, two for other groups, two for the own one.
// Bytes on the wire a rank: (P-1) shares of K and V. Right where groups are nodes with one network card a device. Preconditions: D <= 256, a multiple of 8.
#include "kernels/attention/double_ring_schedule.hpp"

#include "kernels/attention/kv_passing_launch.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const int ranks = context.link->size();
  return prepare_kv_passing_launch(problem, tensors, context, double_ring_schedule(ranks, context.link->rank(), inner_ring_size(ranks)));
}

const Registrar<Kernel> registrar{{
    .name = "attention/double_ring_nccl_cuda",
    .op = "attention",
    .backend = Backend::nccl,
    .dtypes = {DType::bf16, DType::f16},
    .collective = true,
    .about = "ring attention between devices in two levels, one ring within groups and one between",
    .supports = supports_kv_passing_launch,
    .prepare = prepare,
    .run = run_kv_passing_launch,
}};

}  // namespace
}  // namespace bench::attention
