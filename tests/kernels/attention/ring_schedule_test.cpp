// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/ring_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/core/error.hpp"
#include "tests/support/ring_checker.hpp"

namespace bench::attention {
namespace {

using Lists = std::vector<std::vector<RingOp>>;

Lists whole_ring(int ranks) {
  Lists lists;
  for (int r = 0; r < ranks; ++r) lists.push_back(ring_schedule(ranks, r));
  return lists;
}

/// The n-th op of that kind in a list.
RingOp& nth(std::vector<RingOp>& ops, RingOp::Kind kind, int n) {
  for (RingOp& op : ops)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

class RingSchedule : public ::testing::TestWithParam<int> {};

TEST_P(RingSchedule, EveryRankMeetsEveryBlockOnceAndNoSlotIsOverwritten) {
  EXPECT_EQ(support::check_ring(whole_ring(GetParam())), "");
}

TEST_P(RingSchedule, ExchangesOneLessThanItHasRanks) {
  for (int r = 0; r < GetParam(); ++r) {
    const auto ops = ring_schedule(GetParam(), r);
    EXPECT_EQ(std::ranges::count(ops, RingOp::Kind::post, &RingOp::kind), GetParam() - 1);
    EXPECT_EQ(std::ranges::count(ops, RingOp::Kind::wait, &RingOp::kind), GetParam() - 1);
    EXPECT_EQ(std::ranges::count(ops, RingOp::Kind::compute, &RingOp::kind), GetParam());
  }
}

TEST_P(RingSchedule, StartsEachExchangeBeforeTheComputeThatHidesIt) {
  const auto ops = ring_schedule(GetParam(), 0);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind == RingOp::Kind::post) {
      EXPECT_EQ(ops.at(i + 1).kind, RingOp::Kind::compute);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Groups, RingSchedule,
                         ::testing::Values(1,           // no exchange
                                           2,           // next and previous rank are the same
                                           3, 5, 7, 9,  // odd: parity and modulus mistakes show
                                           4, 6, 8,     // slots are reused more than once
                                           16));

TEST(RingSchedule, RejectsARankOutsideTheGroup) {
  EXPECT_THROW(ring_schedule(0, 0), Error);
  EXPECT_THROW(ring_schedule(2, 2), Error);
}

// The checker must be able to fail: each mutation is a mistake that a ring has been seen to make.
class BrokenRing : public ::testing::TestWithParam<int> {
 protected:
  Lists lists = whole_ring(GetParam());
  void expect_caught() { EXPECT_NE(support::check_ring(lists), ""); }
};

TEST_P(BrokenRing, OffByOneSourceInComputeIsCaught) {
  RingOp& op = nth(lists[1], RingOp::Kind::compute, 1);
  op.source_out = (op.source_out + 1) % GetParam();
  expect_caught();
}

TEST_P(BrokenRing, OffByOneSourceInReceiveIsCaught) {
  RingOp& op = nth(lists[0], RingOp::Kind::post, 0);
  op.source_in = (op.source_in + 1) % GetParam();
  expect_caught();
}

TEST_P(BrokenRing, StaleSlotIsCaught) {
  nth(lists[0], RingOp::Kind::compute, 1).slot_out = 0;
  expect_caught();
}

TEST_P(BrokenRing, ReceivingIntoTheSlotInUseIsCaught) {
  nth(lists[0], RingOp::Kind::post, GetParam() - 2).slot_in =
      nth(lists[0], RingOp::Kind::post, GetParam() - 2).slot_out;
  expect_caught();
}

TEST_P(BrokenRing, ComputingBeforeTheWaitIsCaught) {
  auto& ops = lists[0];
  const auto wait = std::ranges::find(ops, RingOp::Kind::wait, &RingOp::kind);
  std::iter_swap(wait, wait + 1);
  expect_caught();
}

TEST_P(BrokenRing, SkippedComputeIsCaught) {
  lists[0].pop_back();
  expect_caught();
}

TEST_P(BrokenRing, SkippedHopIsCaught) {
  auto& ops = lists[1];
  ops.erase(std::ranges::find(ops, RingOp::Kind::post, &RingOp::kind));
  expect_caught();
}

TEST_P(BrokenRing, WrongPeerIsCaught) {
  nth(lists[0], RingOp::Kind::post, 0).to = 0;
  expect_caught();
}

INSTANTIATE_TEST_SUITE_P(Groups, BrokenRing, ::testing::Values(2, 3, 4, 8));

}  // namespace
}  // namespace bench::attention
