// SPDX-License-Identifier: Apache-2.0
// Three slots for sums in turn: at any step one is computed, the one computed a step earlier is sent, and the
// third receives.
#include "kernels/attention/ring_bwd_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

using Kind = RingBwdOp::Kind;

/// Step 0 works on the own slots, later ones on the others in turn.
int key_slot(int step) {
  return step == 0 ? 0 : 1 + (step - 1) % 2;
}
int sum_slot(int step) {
  return step == 0 ? 0 : 1 + (step - 1) % 3;
}

class Writer {
 public:
  Writer(int ranks, int rank) : ranks_(ranks), rank_(rank) {}

  /// Passes on the block of `step` and receives that of the next.
  void post_keys(int step) {
    push(Kind::post_keys, key_slot(step), key_slot(step + 1), source(step), source(step + 1));
  }
  /// During `step`: passes on the sums that were finished the step before and receives those of the block at
  /// hand, which is the own one when the ring has closed.
  void post_sums(int step) {
    push(Kind::post_sums, sum_slot(step - 1), sum_slot(step + 1), source(step - 1), source(step));
  }
  void compute(int step) { push(Kind::compute, key_slot(step), sum_slot(step), source(step), source(step)); }
  void add_received(int step) {
    const int own = step == ranks_ ? 0 : sum_slot(step);
    push(Kind::add, sum_slot(step + 1), own, source(step), source(step));
  }
  void wait(Kind kind) { push(kind, 0, 0, 0, 0); }
  std::vector<RingBwdOp> take() { return std::move(ops_); }

 private:
  int source(int step) const { return (rank_ - step + 2 * ranks_) % ranks_; }
  void push(Kind kind, int slot_out, int slot_in, int source_out, int source_in) {
    ops_.push_back({kind, slot_out, slot_in, source_out, source_in, (rank_ + 1) % ranks_,
                    (rank_ - 1 + ranks_) % ranks_});
  }

  int ranks_, rank_;
  std::vector<RingBwdOp> ops_;
};

}  // namespace

std::vector<RingBwdOp> ring_bwd_schedule(int ranks, int rank) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "ring of ", ranks, " has no rank ", rank);
  Writer writer(ranks, rank);
  for (int step = 0; step < ranks; ++step) {
    const bool keys_move = step + 1 < ranks, sums_move = step >= 2;
    if (keys_move) writer.post_keys(step);
    if (sums_move) writer.post_sums(step);
    writer.compute(step);
    if (keys_move) writer.wait(Kind::wait_keys);
    if (sums_move) writer.wait(Kind::wait_sums);
    if (sums_move) writer.add_received(step);
  }
  if (ranks == 1) return writer.take();
  writer.post_sums(ranks);
  writer.wait(Kind::wait_sums);
  writer.add_received(ranks);
  return writer.take();
}

}  // namespace bench::attention
