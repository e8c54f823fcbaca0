// SPDX-License-Identifier: Apache-2.0
// First all exchanges, two at a time, then all computes.
#include "kernels/attention/allgather_schedule.hpp"

#include "src/core/error.hpp"

namespace bench::attention {
namespace {

RingOp gather_round(int ranks, int rank, int distance) {
  const int from = (rank - distance + ranks) % ranks;
  return {.kind = RingOp::Kind::post,
          .slot_out = 0,
          .slot_in = distance,
          .source_out = rank,
          .source_in = from,
          .to = (rank + distance) % ranks,
          .from = from,
          .lane = distance % kExchangeLanes};
}

}  // namespace

std::vector<RingOp> allgather_schedule(int ranks, int rank) {
  BS_REQUIRE(ranks >= 1 && rank >= 0 && rank < ranks, "all-gather of ", ranks, " has no rank ", rank);
  std::vector<RingOp> ops;
  const auto wait_for_round = [&](int distance) {
    if (distance >= 1) ops.push_back({.kind = RingOp::Kind::wait, .lane = distance % kExchangeLanes});
  };
  for (int distance = 1; distance < ranks; ++distance) {
    wait_for_round(distance - kExchangeLanes);
    ops.push_back(gather_round(ranks, rank, distance));
  }
  for (int distance = ranks - kExchangeLanes; distance < ranks; ++distance) wait_for_round(distance);
  for (int distance = 0; distance < ranks; ++distance)
    ops.push_back({.kind = RingOp::Kind::compute,
                   .slot_out = distance,
                   .source_out = (rank - distance + ranks) % ranks});
  return ops;
}

}  // namespace bench::attention
