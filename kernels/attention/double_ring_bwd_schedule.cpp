// SPDX-License-Identifier: Apache-2.0
// Two rings turn at different speeds; on each the sums follow the keys by one step.
#include "kernels/attention/double_ring_bwd_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

using Kind = RingBwdOp::Kind;
constexpr int kInnerLane = 0, kOuterLane = 1;

struct Step {
  int t, s;  // outer, inner
};

/// Keys: those that open an outer step came from another group, later ones from the own.
int key_slot(Step step) {
  if (step.s > 0) return 3 + (step.s - 1) % 2;
  return step.t == 0 ? 0 : 1 + (step.t - 1) % 2;
}
/// Sums of the block that opens outer step t; t + 1 receives while t is computed and t - 1 is sent.
int outer_slot(int t) {
  return t == 0 ? 0 : 1 + (t - 1) % 3;
}
/// The same for inner step s >= 1.
int inner_slot(int s) {
  return 4 + (s - 1) % 3;
}

class Writer {
 public:
  Writer(int ranks, int rank, int inner)
      : groups_(ranks / inner), inner_(inner), group_(rank / inner), place_(rank % inner) {}

  std::vector<RingBwdOp> write() {
    for (int t = 0; t < groups_; ++t) outer_step(t);
    if (inner_ > 1) {
      send_group_home(groups_ - 1);
      take_group_home(groups_ - 1);
    }
    if (groups_ > 1) {
      send_outer_sums(groups_);
      take_outer_sums(groups_);
    }
    return std::move(ops_);
  }

 private:
  void outer_step(int t) {
    const bool keys_move = t + 1 < groups_, sums_move = t >= 2, group_comes_home = t >= 1 && inner_ > 1;
    if (keys_move) post_keys(kOuterLane, {t, 0}, {t + 1, 0});
    if (sums_move && inner_ == 1) send_outer_sums(t);
    if (group_comes_home) send_group_home(t - 1);
    inner_step(t, 0);
    if (group_comes_home) take_group_home(t - 1);
    if (sums_move && inner_ > 1) send_outer_sums(t);
    for (int s = 1; s < inner_; ++s) inner_step(t, s);
    if (keys_move) wait(Kind::wait_keys, kOuterLane);
    if (sums_move) take_outer_sums(t);
  }
  void inner_step(int t, int s) {
    const bool keys_move = s + 1 < inner_, sums_move = s >= 2;
    if (keys_move) post_keys(kInnerLane, {t, s}, {t, s + 1});
    if (sums_move) post_sums(kInnerLane, inner_slot(s - 1), inner_slot(s + 1), at(-t, 1 - s), at(-t, -s));
    const int sums = s == 0 ? outer_slot(t) : inner_slot(s);
    push({.kind = Kind::compute,
          .slot_out = key_slot({t, s}),
          .slot_in = sums,
          .source_out = at(-t, -s),
          .source_in = at(-t, -s)});
    if (keys_move) wait(Kind::wait_keys, kInnerLane);
    if (sums_move) take_sums(kInnerLane, inner_slot(s + 1), inner_slot(s), at(-t, -s));
  }

  /// The last inner hop of outer step t: the group's sums of a block to the place where it came in.
  void send_group_home(int t) {
    post_sums(kInnerLane, inner_slot(inner_ - 1), inner_slot(inner_ + 1), at(-t, 1 - inner_), at(-t, 0));
  }
  void take_group_home(int t) { take_sums(kInnerLane, inner_slot(inner_ + 1), outer_slot(t), at(-t, 0)); }
  /// During outer step t: passes on what was finished for the step before and receives the sums of the block
  /// that opens t, which is the own one when the ring has closed.
  void send_outer_sums(int t) {
    post_sums(kOuterLane, outer_slot(t - 1), outer_slot(t + 1), at(1 - t, 0), at(-t, 0));
  }
  void take_outer_sums(int t) {
    take_sums(kOuterLane, outer_slot(t + 1), t == groups_ ? 0 : outer_slot(t), at(-t, 0));
  }

  void post_keys(int lane, Step out, Step in) {
    post(Kind::post_keys, lane, {key_slot(out), at(-out.t, -out.s)}, {key_slot(in), at(-in.t, -in.s)});
  }
  void post_sums(int lane, int slot_out, int slot_in, int source_out, int source_in) {
    post(Kind::post_sums, lane, {slot_out, source_out}, {slot_in, source_in});
  }
  void take_sums(int lane, int arrived, int slot, int source) {
    wait(Kind::wait_sums, lane);
    push(
        {.kind = Kind::add, .slot_out = arrived, .slot_in = slot, .source_out = source, .source_in = source});
  }

  struct Cargo {
    int slot, source;
  };
  void post(Kind kind, int lane, Cargo out, Cargo in) {
    const bool inside = lane == kInnerLane;
    push({.kind = kind,
          .slot_out = out.slot,
          .slot_in = in.slot,
          .source_out = out.source,
          .source_in = in.source,
          .to = inside ? at(0, 1) : at(1, 0),
          .from = inside ? at(0, -1) : at(-1, 0),
          .lane = lane});
  }
  void wait(Kind kind, int lane) { push({.kind = kind, .lane = lane}); }
  void push(const RingBwdOp& op) { ops_.push_back(op); }

  int at(int group_steps, int place_steps) const {
    const int g = (group_ + group_steps + 2 * groups_) % groups_;
    const int i = (place_ + place_steps + 2 * inner_) % inner_;
    return g * inner_ + i;
  }

  int groups_, inner_, group_, place_;
  std::vector<RingBwdOp> ops_;
};

}  // namespace

std::vector<RingBwdOp> double_ring_bwd_schedule(int ranks, int rank, int inner) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "double ring of ", ranks, " has no rank ", rank);
  BS_REQUIRE(inner >= 1 && ranks % inner == 0, "inner rings of ", inner, " do not fill ", ranks, " ranks");
  return Writer(ranks, rank, inner).write();
}

}  // namespace bench::attention
