// SPDX-License-Identifier: Apache-2.0
// The forward's list with the computes' sums named, and the reduce-scatter behind it.
#include "kernels/attention/allgather_bwd_schedule.hpp"

#include "kernels/attention/allgather_schedule.hpp"

namespace bench::attention {
namespace {

using Kind = RingBwdOp::Kind;

/// What the gather or its compute becomes; a block's sums go to the slot that its keys have.
RingBwdOp backward_of(const RingOp& op) {
  RingBwdOp twin{.slot_out = op.slot_out,
                 .slot_in = op.slot_in,
                 .source_out = op.source_out,
                 .source_in = op.source_in,
                 .to = op.to,
                 .from = op.from,
                 .lane = op.lane};
  if (op.kind == RingOp::Kind::post) twin.kind = Kind::post_keys;
  if (op.kind == RingOp::Kind::wait) twin.kind = Kind::wait_keys;
  if (op.kind != RingOp::Kind::compute) return twin;
  twin.kind = Kind::compute;
  twin.slot_in = op.slot_out;
  twin.source_in = op.source_out;
  return twin;
}

}  // namespace

std::vector<RingBwdOp> allgather_bwd_schedule(int ranks, int rank) {
  std::vector<RingBwdOp> ops;
  for (const RingOp& op : allgather_schedule(ranks, rank)) ops.push_back(backward_of(op));
  const auto at = [&](int steps) { return (rank + steps + 2 * ranks) % ranks; };
  for (int step = 1; step < ranks; ++step) {
    const int next = (step + 1) % ranks;  // the last step brings the own block's sums home
    ops.push_back({.kind = Kind::post_sums,
                   .slot_out = step,
                   .slot_in = ranks,
                   .source_out = at(-step),
                   .source_in = at(-next),
                   .to = at(1),
                   .from = at(-1)});
    ops.push_back({.kind = Kind::wait_sums});
    ops.push_back({.kind = Kind::add,
                   .slot_out = ranks,
                   .slot_in = next,
                   .source_out = at(-next),
                   .source_in = at(-next)});
  }
  return ops;
}

}  // namespace bench::attention
