// SPDX-License-Identifier: Apache-2.0
// The numeric check of the backward pass must find a broken schedule by itself: each mistake is planted in
// the list or the layout that a real run executes, and the gradients must leave the tolerance by far.
// Mistakes that would only wait for ever are the checker's (kv_bwd_schedules_test).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "kernels/attention/allgather_bwd_schedule.hpp"
#include "kernels/attention/double_ring_bwd_schedule.hpp"
#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing_bwd.hpp"
#include "tests/kernels/attention/bwd_cases.hpp"

namespace bench::attention::backward {
namespace {

using Kind = RingBwdOp::Kind;
using Spoil = std::function<void(KvBwdPrepared&, int rank)>;

/// A kernel's prepare is a plain function: what it shall do lies here while a test runs. Read only by ranks.
struct Plan {
  BwdSchedule schedule = nullptr;
  Spoil spoil;
};
Plan plan;

std::unique_ptr<Prepared> prepare_planned(const Problem& problem, Tensors& tensors, Context& context) {
  auto prepared = prepare_kv_passing_bwd(problem, tensors, context, plan.schedule);
  if (plan.spoil) plan.spoil(static_cast<KvBwdPrepared&>(*prepared), context.link->rank());
  return prepared;
}
std::int64_t planned_workspace_bytes(const Problem& problem) {
  return kv_passing_bwd_workspace_bytes(problem, plan.schedule);
}

struct Variant {
  const char* name;
  BwdSchedule schedule;
};
constexpr int kRanks = 4;  // two groups of two
constexpr Variant kVariants[] = {
    {"Ring", ring_bwd_schedule},
    {"DoubleRing",
     [](int ranks, int rank) { return double_ring_bwd_schedule(ranks, rank, inner_ring_size(ranks)); }},
    {"AllGather", allgather_bwd_schedule}};

class BrokenBackwardSchedule : public ::testing::TestWithParam<Variant> {
 protected:
  /// Times the tolerance by which the worst gradient is off. Equal shares (8 rows of 32), so that no mistake
  /// changes the length of a message.
  double excess(const Spoil& spoil, Layout layout = Layout::zigzag, bool causal = true) {
    plan = {GetParam().schedule, spoil};
    Kernel kernel = support::find_kernel("attention/ring_bwd_cpu");
    kernel.prepare = prepare_planned;
    kernel.workspace_bytes = planned_workspace_bytes;
    const Case c{&kernel, {1, 2, 1, 32, 16}, DType::f64, causal, Values::normal, layout, kRanks};
    const Op& op = support::find_op("attention");
    const Tensors inputs = support::make_inputs(op, problem_of(c), 9);
    double worst = 0.0;
    for (const auto& e : support::compare(kernel, op, problem_of(c), inputs, run_of(c, inputs)))
      worst = std::max(worst, e.error / e.tolerance);
    return worst;
  }
  static constexpr double kFar = 1e6;  // a wrong block is an error of order 1; the tolerance is 1e-13
};

RingBwdOp& nth(KvBwdPrepared& prepared, Kind kind, int n) {
  for (RingBwdOp& op : prepared.schedule)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

TEST_P(BrokenBackwardSchedule, IsRightWhenNothingIsSpoilt) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
    for (const bool causal : {false, true}) EXPECT_LE(excess({}, layout, causal), 1.0);
}

TEST_P(BrokenBackwardSchedule, OffByOneSourceOnEveryRankIsFound) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped}) {
    EXPECT_GT(excess(
                  [](KvBwdPrepared& prepared, int) {
                    for (RingBwdOp& op : prepared.schedule)
                      if (op.kind == Kind::compute) op.source_out = (op.source_out + 1) % kRanks;
                  },
                  layout),
              kFar);
  }
}

// Forward right, gradients silently wrong: keys of the first step used again, with and without a mask.
TEST_P(BrokenBackwardSchedule, StaleKeysAreFound) {
  for (const bool causal : {false, true}) {
    EXPECT_GT(excess([](KvBwdPrepared& prepared, int) { nth(prepared, Kind::compute, 2).slot_out = 0; },
                     Layout::zigzag, causal),
              kFar);
  }
}

TEST_P(BrokenBackwardSchedule, ASkippedLastHopOfTheSumsIsFound) {
  EXPECT_GT(excess([](KvBwdPrepared& prepared, int) {
              prepared.schedule.erase(prepared.schedule.end() - 3, prepared.schedule.end());
            }),
            kFar);
}

TEST_P(BrokenBackwardSchedule, SumsThatOneRankReceivesAndDoesNotAddAreFound) {
  for (const std::ptrdiff_t skipped : {0, 1, 2}) {
    EXPECT_GT(excess([skipped](KvBwdPrepared& prepared, int rank) {
                if (rank != 1) return;
                auto& ops = prepared.schedule;
                ops.erase(ops.begin() + (&nth(prepared, Kind::add, static_cast<int>(skipped)) - ops.data()));
              }),
              kFar)
        << "add " << skipped;
  }
}

TEST_P(BrokenBackwardSchedule, ASkippedComputeIsFound) {
  // Without a mask, so that every block counts. The slot keeps what it held: scratch is poisoned.
  EXPECT_GT(excess(
                [](KvBwdPrepared& prepared, int rank) {
                  if (rank != 3) return;
                  std::erase_if(prepared.schedule, [](const RingBwdOp& op) {
                    return op.kind == Kind::compute && op.source_out == 1;
                  });
                },
                Layout::contiguous, false),
            kFar);
}

TEST_P(BrokenBackwardSchedule, ASwappedZigzagHalfIsFound) {
  // Ranks 0 and 1 are taken to hold each other's late chunks.
  EXPECT_GT(excess([](KvBwdPrepared& prepared, int) {
              auto &a = prepared.shares.positions[0], &b = prepared.shares.positions[1];
              std::swap_ranges(a.begin() + static_cast<std::ptrdiff_t>(a.size() / 2), a.end(),
                               b.begin() + static_cast<std::ptrdiff_t>(b.size() / 2));
            }),
            kFar);
}

INSTANTIATE_TEST_SUITE_P(Variants, BrokenBackwardSchedule, ::testing::ValuesIn(kVariants),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace bench::attention::backward
