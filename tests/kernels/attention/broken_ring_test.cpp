// SPDX-License-Identifier: Apache-2.0
// The numeric check must find a broken schedule by itself: each mistake is planted in the list or the layout
// that a real run executes, on all ranks or on one, and the outputs must leave the tolerance by far. Mistakes
// that would only wait for ever are the checker's (ring_schedule_test).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kernels/attention/allgather_schedule.hpp"
#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing.hpp"
#include "tests/kernels/attention/distributed_cases.hpp"

namespace bench::attention {
namespace {

using Kind = RingOp::Kind;
using Spoil = std::function<void(KvPrepared&, int rank)>;

/// A kernel's prepare is a plain function: what it shall do lies here while a test runs. Read only by ranks.
struct Plan {
  std::vector<RingOp> (*schedule)(int ranks, int rank) = nullptr;
  Spoil spoil;
};
Plan plan;

std::unique_ptr<Prepared> prepare_planned(const Problem& problem, Tensors&, Context& context) {
  const int rank = context.link->rank();
  auto prepared = prepare_kv_passing(problem, plan.schedule(context.link->size(), rank));
  if (plan.spoil) plan.spoil(static_cast<KvPrepared&>(*prepared), rank);
  return prepared;
}

std::vector<RingOp> double_ring(int ranks, int rank) {
  return double_ring_schedule(ranks, rank, inner_ring_size(ranks));
}

struct Variant {
  const char* name;
  std::vector<RingOp> (*schedule)(int ranks, int rank);
};
constexpr Variant kVariants[] = {
    {"Ring", ring_schedule}, {"DoubleRing", double_ring}, {"AllGather", allgather_schedule}};
constexpr int kRanks = 4;  // two groups of two; slots are used twice

class BrokenSchedule : public ::testing::TestWithParam<Variant> {
 protected:
  /// Times the tolerance by which the worst output is off. Equal shares (8 rows of 32), so that no mistake
  /// changes the length of a message.
  double excess(const Spoil& spoil, Layout layout = Layout::zigzag, bool causal = true) {
    plan = {GetParam().schedule, spoil};
    Kernel kernel = distributed("ring_cpu");
    kernel.prepare = prepare_planned;
    const auto p = distributed_problem({1, 2, 1, 32, 16}, DType::f64, causal, layout, kRanks);
    const Op& op = support::find_op("attention");
    const Tensors inputs = support::make_inputs(op, p, 9);
    double worst = 0.0;
    for (const auto& e : support::compare(kernel, op, p, inputs, run_distributed(kernel, p, inputs).outputs))
      worst = std::max(worst, e.error / e.tolerance);
    return worst;
  }
  static constexpr double kFar = 1e6;  // a wrong block is an error of order 1; the tolerance is 1.4e-14
};

RingOp& nth(KvPrepared& prepared, Kind kind, int n) {
  for (RingOp& op : prepared.schedule)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

TEST_P(BrokenSchedule, IsRightWhenNothingIsSpoilt) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
    for (const bool causal : {false, true}) EXPECT_LE(excess({}, layout, causal), 1.0);
}

TEST_P(BrokenSchedule, OffByOneSourceOnEveryRankIsFound) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped}) {
    EXPECT_GT(excess(
                  [](KvPrepared& prepared, int) {
                    for (RingOp& op : prepared.schedule)
                      if (op.kind == Kind::compute) op.source_out = (op.source_out + 1) % kRanks;
                  },
                  layout),
              kFar);
  }
}

TEST_P(BrokenSchedule, OffByOneSourceInOneStepOfOneRankIsFound) {
  // Zigzag's mask only asks whether the source is below or above the own rank: on rank 1, 0 becomes 3.
  EXPECT_GT(excess([](KvPrepared& prepared, int rank) {
              if (rank != 1) return;
              RingOp& op = nth(prepared, Kind::compute, 1);
              op.source_out = (op.source_out + kRanks - 1) % kRanks;
            }),
            kFar);
}

TEST_P(BrokenSchedule, StaleKeysAreFoundWithoutAMaskToo) {
  for (const bool causal : {false, true}) {
    EXPECT_GT(excess([](KvPrepared& prepared, int) { nth(prepared, Kind::compute, 2).slot_out = 0; },
                     Layout::zigzag, causal),
              kFar);
  }
}

TEST_P(BrokenSchedule, AHopThatSendsTheOwnBlockAgainIsFound) {
  // On one rank only: it passes its own block on instead of the one it received. The all-gather always sends
  // the own block, so there it receives into the wrong slot.
  EXPECT_GT(excess([](KvPrepared& prepared, int rank) {
              if (rank != 1) return;
              RingOp& op = nth(prepared, Kind::post, 1);
              const bool always_own = op.slot_out == 0 && op.slot_in == 2 && op.source_out == rank;
              if (always_own && GetParam().schedule == allgather_schedule) op.slot_in = 1;
              op.slot_out = 0;
              if (GetParam().schedule == double_ring) nth(prepared, Kind::post, 2).slot_out = 0;
            }),
            kFar);
}

TEST_P(BrokenSchedule, ASkippedComputeIsFound) {
  EXPECT_GT(excess([](KvPrepared& prepared, int rank) {
              if (rank == 3)
                std::erase_if(prepared.schedule, [](const RingOp& op) {
                  return op.kind == Kind::compute && op.source_out == 1;
                });
            }),
            kFar);
}

TEST_P(BrokenSchedule, ABlockMetTwiceIsFound) {
  EXPECT_GT(excess([](KvPrepared& prepared, int) {
              prepared.schedule.push_back({.kind = Kind::compute, .slot_out = 0, .source_out = 0});
            }),
            kFar);
}

TEST_P(BrokenSchedule, ASwappedZigzagHalfIsFound) {
  // Ranks 0 and 1 are taken to hold each other's late chunks.
  EXPECT_GT(excess([](KvPrepared& prepared, int) {
              auto &a = prepared.shares.positions[0], &b = prepared.shares.positions[1];
              std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(a.size() / 2), a.end(),
                               b.begin() + static_cast<std::ptrdiff_t>(b.size() / 2));
            }),
            kFar);
}

INSTANTIATE_TEST_SUITE_P(Variants, BrokenSchedule, ::testing::ValuesIn(kVariants),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace bench::attention
