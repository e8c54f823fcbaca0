// SPDX-License-Identifier: Apache-2.0
// While step s computes, the queries of step s + 1 arrive and the results of step s - 1 go home.
#include "kernels/attention/pass_q_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

using Kind = PassQOp::Kind;
constexpr int kQueryLane = 0, kResultLane = 1;
constexpr int kLeaving = 3, kArriving = 4;

int slot_of_step(int step) {
  return step == 0 ? 0 : 1 + (step - 1) % 2;
}

struct Place {
  int ranks, rank;
  int at(int steps) const { return (rank + steps + 2 * ranks) % ranks; }

  PassQOp pass(int step) const {
    return {.kind = Kind::pass,
            .slot_out = slot_of_step(step),
            .slot_in = slot_of_step(step + 1),
            .owner_out = at(-step),
            .owner_in = at(-step - 1),
            .to = at(1),
            .from = at(-1),
            .lane = kQueryLane};
  }
  PassQOp compute(int step) const {
    return {.kind = Kind::compute, .slot_out = slot_of_step(step), .owner_out = at(-step)};
  }
  PassQOp pack(int step) const { return {.kind = Kind::pack, .slot_out = kLeaving, .owner_out = at(-step)}; }
  PassQOp give(int step) const {
    return {.kind = Kind::give,
            .slot_out = kLeaving,
            .slot_in = kArriving,
            .owner_out = at(-step),
            .owner_in = rank,
            .to = at(-step),
            .from = at(step),
            .lane = kResultLane};
  }
  PassQOp merge(int step) const {
    return {.kind = Kind::merge, .slot_in = kArriving, .owner_in = rank, .from = at(step)};
  }
};

}  // namespace

std::vector<PassQOp> pass_q_schedule(int ranks, int rank) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "pass-Q of ", ranks, " has no rank ", rank);
  const Place place{ranks, rank};
  std::vector<PassQOp> ops;
  const auto wait = [&](int lane) { ops.push_back({.kind = Kind::wait, .lane = lane}); };
  const auto take_home = [&](int step) {
    if (step < 1) return;
    wait(kResultLane);
    ops.push_back(place.merge(step));
  };
  for (int step = 0; step < ranks; ++step) {
    const bool more = step + 1 < ranks;
    if (more) ops.push_back(place.pass(step));
    ops.push_back(place.compute(step));
    take_home(step - 1);
    if (step > 0) {
      ops.push_back(place.pack(step));
      ops.push_back(place.give(step));
    }
    if (more) wait(kQueryLane);
  }
  take_home(ranks - 1);
  return ops;
}

}  // namespace bench::attention
