// SPDX-License-Identifier: Apache-2.0
// Two rings turn at different speeds: the inner one `inner` times as fast as the outer one.
#include "kernels/attention/double_ring_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

constexpr int kInnerLane = 0, kOuterLane = 1;

/// The slot of the block that opens outer step t.
int opening_slot(int t) {
  return t == 0 ? 0 : 1 + (t - 1) % 2;
}
/// The slot of inner step s of outer step t.
int slot_at(int t, int s) {
  return s == 0 ? opening_slot(t) : 3 + (s - 1) % 2;
}

/// The two rings seen from one rank; all arithmetic on groups and places is modular.
struct Torus {
  int groups, inner, group, place;

  int at(int group_steps, int place_steps) const {
    const int g = (group + group_steps + 2 * groups) % groups;
    const int i = (place + place_steps + 2 * inner) % inner;
    return g * inner + i;
  }
  RingOp inner_hop(int t, int s) const {
    return {.kind = RingOp::Kind::post,
            .slot_out = slot_at(t, s),
            .slot_in = slot_at(t, s + 1),
            .source_out = at(-t, -s),
            .source_in = at(-t, -s - 1),
            .to = at(0, 1),
            .from = at(0, -1),
            .lane = kInnerLane};
  }
  RingOp outer_hop(int t) const {
    return {.kind = RingOp::Kind::post,
            .slot_out = opening_slot(t),
            .slot_in = opening_slot(t + 1),
            .source_out = at(-t, 0),
            .source_in = at(-t - 1, 0),
            .to = at(1, 0),
            .from = at(-1, 0),
            .lane = kOuterLane};
  }
};

}  // namespace

int inner_ring_size(int ranks) {
  int best = 1;
  for (int d = 2; d * d <= ranks; ++d)
    if (ranks % d == 0) best = d;
  return best;
}

std::vector<RingOp> double_ring_schedule(int ranks, int rank, int inner) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "double ring of ", ranks, " has no rank ", rank);
  BS_REQUIRE(inner >= 1 && ranks % inner == 0, "inner rings of ", inner, " do not fill ", ranks, " ranks");
  const Torus torus{ranks / inner, inner, rank / inner, rank % inner};
  std::vector<RingOp> ops;
  const auto wait = [&](int lane) { ops.push_back({.kind = RingOp::Kind::wait, .lane = lane}); };
  for (int t = 0; t < torus.groups; ++t) {
    const bool more_groups = t + 1 < torus.groups;
    if (more_groups) ops.push_back(torus.outer_hop(t));
    for (int s = 0; s < inner; ++s) {
      const bool more_places = s + 1 < inner;
      if (more_places) ops.push_back(torus.inner_hop(t, s));
      ops.push_back(
          {.kind = RingOp::Kind::compute, .slot_out = slot_at(t, s), .source_out = torus.at(-t, -s)});
      if (more_places) wait(kInnerLane);
    }
    if (more_groups) wait(kOuterLane);
  }
  return ops;
}

}  // namespace bench::attention
