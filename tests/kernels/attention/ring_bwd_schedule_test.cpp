// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/ring_bwd_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/core/error.hpp"
#include "tests/support/ring_bwd_checker.hpp"

namespace bench::attention {
namespace {

using Kind = RingBwdOp::Kind;
using Lists = std::vector<std::vector<RingBwdOp>>;

Lists whole_ring(int ranks) {
  Lists lists;
  for (int r = 0; r < ranks; ++r) lists.push_back(ring_bwd_schedule(ranks, r));
  return lists;
}

/// The n-th op of that kind in a list.
RingBwdOp& nth(std::vector<RingBwdOp>& ops, Kind kind, std::ptrdiff_t n) {
  for (RingBwdOp& op : ops)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

class RingBackwardSchedule : public ::testing::TestWithParam<int> {};

TEST_P(RingBackwardSchedule, EveryRankMeetsEveryBlockOnceAndAllSumsComeHome) {
  EXPECT_EQ(support::check_ring_bwd(whole_ring(GetParam())), "");
}

TEST_P(RingBackwardSchedule, KeysAndSumsTravelOneHopLessThanThereAreRanks) {
  for (int r = 0; r < GetParam(); ++r) {
    const auto ops = ring_bwd_schedule(GetParam(), r);
    for (const Kind kind : {Kind::post_keys, Kind::wait_keys, Kind::post_sums, Kind::wait_sums, Kind::add})
      EXPECT_EQ(std::ranges::count(ops, kind, &RingBwdOp::kind), GetParam() - 1);
    EXPECT_EQ(std::ranges::count(ops, Kind::compute, &RingBwdOp::kind), GetParam());
  }
}

TEST_P(RingBackwardSchedule, StartsEveryExchangeButTheLastBeforeTheComputeThatHidesIt) {
  const auto ops = ring_bwd_schedule(GetParam(), 0);
  int exposed = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind != Kind::post_keys && ops[i].kind != Kind::post_sums) continue;
    const auto next = std::find_if(
        ops.begin() + static_cast<std::ptrdiff_t>(i), ops.end(),
        [](const RingBwdOp& op) { return op.kind != Kind::post_keys && op.kind != Kind::post_sums; });
    exposed += next->kind == Kind::compute ? 0 : 1;
  }
  EXPECT_EQ(exposed, GetParam() == 1 ? 0 : 1) << "only the hop home has nothing to hide behind";
}

INSTANTIATE_TEST_SUITE_P(Groups, RingBackwardSchedule,
                         ::testing::Values(1,        // no exchange
                                           2,        // next and previous rank are the same
                                           3,        // odd: parity and modulus mistakes show
                                           4, 5, 8,  // slots are reused: three in turn at every remainder
                                           16));

TEST(RingBackwardSchedule, RejectsARankOutsideTheGroup) {
  EXPECT_THROW(ring_bwd_schedule(0, 0), Error);
  EXPECT_THROW(ring_bwd_schedule(2, 2), Error);
}

// The checker must be able to fail: each mutation is a mistake that a backward ring has been seen to make.
class BrokenBackwardRing : public ::testing::TestWithParam<int> {
 protected:
  Lists lists = whole_ring(GetParam());
  void expect_caught() { EXPECT_NE(support::check_ring_bwd(lists), ""); }
};

TEST_P(BrokenBackwardRing, StaleKeysAreCaught) {
  nth(lists[0], Kind::compute, 1).slot_out = 0;
  expect_caught();
}

TEST_P(BrokenBackwardRing, OffByOneSourceInComputeIsCaught) {
  RingBwdOp& op = nth(lists[1], Kind::compute, 1);
  op.source_out = op.source_in = (op.source_out + 1) % GetParam();
  expect_caught();
}

TEST_P(BrokenBackwardRing, OffByOneSourceInReceiveIsCaught) {
  RingBwdOp& op = nth(lists[0], Kind::post_keys, 0);
  op.source_in = (op.source_in + 1) % GetParam();
  expect_caught();
}

// On all ranks, so that nobody waits for ever and only the sums are wrong.
TEST_P(BrokenBackwardRing, SkippedLastHopOfTheSumsIsCaught) {
  for (auto& ops : lists) ops.erase(ops.end() - 3, ops.end());
  EXPECT_NE(support::check_ring_bwd(lists).find("lacks a rank's part"), std::string::npos);
}

TEST_P(BrokenBackwardRing, SumsThatArriveAndAreNotAddedAreCaught) {
  lists[0].pop_back();
  expect_caught();
}

TEST_P(BrokenBackwardRing, SumsAddedTwiceAreCaught) {
  lists[0].push_back(lists[0].back());
  expect_caught();
}

TEST_P(BrokenBackwardRing, AddingBeforeTheWaitIsCaught) {
  std::iter_swap(lists[0].end() - 1, lists[0].end() - 2);
  expect_caught();
}

TEST_P(BrokenBackwardRing, ComputingIntoTheOwnSumsIsCaught) {
  nth(lists[0], Kind::compute, 1).slot_in = 0;
  expect_caught();
}

TEST_P(BrokenBackwardRing, SkippedComputeIsCaught) {
  auto& ops = lists[0];
  ops.erase(std::ranges::find(ops, Kind::compute, &RingBwdOp::kind));
  expect_caught();
}

TEST_P(BrokenBackwardRing, WrongPeerIsCaught) {
  nth(lists[0], Kind::post_sums, 0).to = 0;
  expect_caught();
}

TEST_P(BrokenBackwardRing, SkippedHopOfKeysIsCaught) {
  auto& ops = lists[1];
  ops.erase(std::ranges::find(ops, Kind::post_keys, &RingBwdOp::kind));
  expect_caught();
}

INSTANTIATE_TEST_SUITE_P(Groups, BrokenBackwardRing, ::testing::Values(2, 3, 4, 8));

// Mistakes that need a step in which sums are computed and exchanged at once.
class BrokenLongBackwardRing : public BrokenBackwardRing {};

TEST_P(BrokenLongBackwardRing, ComputingIntoSumsThatAreSentIsCaught) {
  nth(lists[0], Kind::compute, 2).slot_in = nth(lists[0], Kind::post_sums, 0).slot_out;
  expect_caught();
}

TEST_P(BrokenLongBackwardRing, ComputingIntoSumsThatArriveIsCaught) {
  nth(lists[0], Kind::compute, 2).slot_in = nth(lists[0], Kind::post_sums, 0).slot_in;
  expect_caught();
}

TEST_P(BrokenLongBackwardRing, KeysAndSumsPostedInAnotherOrderThanThePeerIsCaught) {
  auto& ops = lists[0];
  const auto sums = std::ranges::find(ops, Kind::post_sums, &RingBwdOp::kind);
  std::iter_swap(sums, sums - 1);
  expect_caught();
}

INSTANTIATE_TEST_SUITE_P(Groups, BrokenLongBackwardRing, ::testing::Values(4, 8));

}  // namespace
}  // namespace bench::attention
