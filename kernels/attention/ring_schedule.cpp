// SPDX-License-Identifier: Apache-2.0
// The one ring order: receive into the slot that neither the running exchange nor the block at hand uses.
#include "kernels/attention/ring_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

/// Step 0 works on the own slot, later ones on slots 1 and 2 in turn.
int slot_of_step(int step) {
  return step == 0 ? 0 : 1 + (step - 1) % 2;
}

}  // namespace

std::vector<RingOp> ring_schedule(int ranks, int rank) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "ring of ", ranks, " has no rank ", rank);
  std::vector<RingOp> ops;
  for (int step = 0; step < ranks; ++step) {
    RingOp op;
    op.slot_out = slot_of_step(step);
    op.slot_in = slot_of_step(step + 1);
    op.source_out = (rank - step + ranks) % ranks;
    op.source_in = (rank - step - 1 + 2 * ranks) % ranks;
    op.to = (rank + 1) % ranks;
    op.from = (rank - 1 + ranks) % ranks;
    const auto push = [&](RingOp::Kind kind) {
      op.kind = kind;
      ops.push_back(op);
    };
    const bool more = step + 1 < ranks;
    if (more) push(RingOp::Kind::post);
    push(RingOp::Kind::compute);
    if (more) push(RingOp::Kind::wait);
  }
  return ops;
}

}  // namespace bench::attention
