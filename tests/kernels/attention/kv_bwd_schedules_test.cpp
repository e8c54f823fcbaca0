// SPDX-License-Identifier: Apache-2.0
// The backward schedules in which keys, values and sums of their gradients travel, by one set of rules: ring,
// double ring, all-gather. What is peculiar to the ring is in ring_bwd_schedule_test.
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "kernels/attention/allgather_bwd_schedule.hpp"
#include "kernels/attention/double_ring_bwd_schedule.hpp"
#include "kernels/attention/double_ring_schedule.hpp"
#include "kernels/attention/kv_passing_bwd.hpp"
#include "src/core/error.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/ring_bwd_checker.hpp"

namespace bench::attention {
namespace {

using Kind = RingBwdOp::Kind;
using Lists = std::vector<std::vector<RingBwdOp>>;

struct Variant {
  const char* name;
  BwdSchedule schedule;
  BwdSlots (*slots)(int ranks);
};

std::vector<RingBwdOp> square_double_ring(int ranks, int rank) {
  return double_ring_bwd_schedule(ranks, rank, inner_ring_size(ranks));
}
/// The other way round: inner rings as long as the divisor allows.
std::vector<RingBwdOp> wide_double_ring(int ranks, int rank) {
  return double_ring_bwd_schedule(ranks, rank, ranks / inner_ring_size(ranks));
}
BwdSlots double_ring_slots(int) {
  return {kDoubleRingSlots, kDoubleRingSumSlots};
}

constexpr Variant kVariants[] = {
    {"Ring", ring_bwd_schedule,
     [](int) {
       return BwdSlots{kRingKeySlots, kRingSumSlots};
     }},
    {"DoubleRing", square_double_ring, double_ring_slots},
    {"WideDoubleRing", wide_double_ring, double_ring_slots},
    {"AllGather", allgather_bwd_schedule,
     [](int ranks) {
       return BwdSlots{ranks, ranks + 1};
     }},
};

std::vector<int RingBwdOp::*> used(const RingBwdOp& op) {
  using Op = RingBwdOp;
  switch (op.kind) {
    case Kind::wait_keys:
    case Kind::wait_sums:
      return {&Op::lane};
    case Kind::compute:
      return {&Op::slot_out, &Op::slot_in, &Op::source_out, &Op::source_in};
    case Kind::add:
      return {&Op::slot_out, &Op::slot_in, &Op::source_out};
    case Kind::post_keys:
    case Kind::post_sums:
      break;
  }
  return {&Op::slot_out, &Op::slot_in, &Op::source_out, &Op::source_in, &Op::to, &Op::from, &Op::lane};
}

class KvBackwardSchedules : public ::testing::TestWithParam<std::tuple<Variant, int>> {
 protected:
  const Variant variant = std::get<0>(GetParam());
  const int ranks = std::get<1>(GetParam());
  Lists lists = [this] {
    Lists all;
    for (int r = 0; r < ranks; ++r) all.push_back(variant.schedule(ranks, r));
    return all;
  }();
  std::string check(const Lists& these) const {
    const BwdSlots slots = variant.slots(ranks);
    return support::check_ring_bwd(these, slots.keys, slots.sums);
  }
};

TEST_P(KvBackwardSchedules, EveryRankMeetsEveryBlockOnceAndAllSumsComeHome) {
  EXPECT_EQ(check(lists), "");
}

TEST_P(KvBackwardSchedules, KeysAndSumsTravelOneHopLessThanThereAreRanks) {
  for (const auto& list : lists) {
    for (const Kind kind : {Kind::post_keys, Kind::wait_keys, Kind::post_sums, Kind::wait_sums, Kind::add})
      EXPECT_EQ(std::ranges::count(list, kind, &RingBwdOp::kind), ranks - 1);
    EXPECT_EQ(std::ranges::count(list, Kind::compute, &RingBwdOp::kind), ranks);
  }
}

/// The executor sizes its memory by rank 0's list.
TEST_P(KvBackwardSchedules, AllRanksUseTheSlotsOfRankZero) {
  const BwdSlots most = variant.slots(ranks), first = slots_of(lists[0]);
  EXPECT_LE(first.keys, most.keys);
  EXPECT_LE(first.sums, most.sums);
  for (const auto& list : lists) {
    EXPECT_EQ(slots_of(list).keys, first.keys);
    EXPECT_EQ(slots_of(list).sums, first.sums);
  }
}

TEST_P(KvBackwardSchedules, EveryMutationOfOneRankIsCaught) {
  if (ranks > 9) return;  // longer lists hold the same kinds of steps
  int tried = 0;
  support::for_each_mutation(lists, lists.size() - 1, used,
                             [&](const Lists& mutated, const std::string& what) {
                               ++tried;
                               EXPECT_NE(check(mutated), "") << what;
                             });
  EXPECT_GE(tried, 5 * ranks);
}

// On all ranks, so that nobody waits for ever and only the sums are wrong.
TEST_P(KvBackwardSchedules, ASkippedLastHopOfTheSumsIsCaught) {
  if (ranks == 1) return;  // nothing travels
  for (auto& ops : lists) ops.erase(ops.end() - 3, ops.end());
  EXPECT_NE(check(lists).find("lacks a rank's part"), std::string::npos) << check(lists);
}

// Up to 9: 2, 3, 5 and 7 are prime, 4 and 9 squares, 6 and 8 have inner rings shorter than the outer one; 16
// and 25 turn every slot of the double ring more than once on both rings.
INSTANTIATE_TEST_SUITE_P(Groups, KvBackwardSchedules,
                         ::testing::Combine(::testing::ValuesIn(kVariants),
                                            ::testing::Values(1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 25)),
                         [](const auto& which) {
                           return concat(std::get<0>(which.param).name, "_P", std::get<1>(which.param));
                         });

TEST(DoubleRingBackward, OfAPrimeIsThePlainRing) {
  for (const int ranks : {1, 2, 3, 5, 7}) {
    for (int r = 0; r < ranks; ++r) {
      const auto single = ring_bwd_schedule(ranks, r), twice = double_ring_bwd_schedule(ranks, r, 1);
      ASSERT_EQ(single.size(), twice.size());
      for (std::size_t i = 0; i < single.size(); ++i) {
        ASSERT_EQ(single[i].kind, twice[i].kind) << ranks << " ranks, op " << i;
        EXPECT_EQ(single[i].source_out, twice[i].source_out);
        EXPECT_EQ(single[i].slot_out, twice[i].slot_out);
        EXPECT_EQ(single[i].slot_in, twice[i].slot_in);
      }
    }
  }
}

TEST(DoubleRingBackward, LeavesTheGroupOnceForEveryOtherGroupWithKeysAndOnceWithSums) {
  constexpr int kRanks = 12, kInner = 3;
  for (int r = 0; r < kRanks; ++r) {
    const auto ops = double_ring_bwd_schedule(kRanks, r, kInner);
    for (const Kind kind : {Kind::post_keys, Kind::post_sums})
      EXPECT_EQ(
          std::ranges::count_if(
              ops, [&](const RingBwdOp& op) { return op.kind == kind && op.to / kInner != r / kInner; }),
          kRanks / kInner - 1);
  }
}

/// Only what the last outer step leaves has no compute to hide behind: its group's hop and the hop home.
TEST(DoubleRingBackward, HidesEveryHopButTheLastOfEachRing) {
  for (const int inner : {2, 3, 4}) {
    const auto ops = double_ring_bwd_schedule(12, 5, inner);
    const auto last =
        std::find_if(ops.rbegin(), ops.rend(), [](const RingBwdOp& op) { return op.kind == Kind::compute; });
    EXPECT_EQ(
        std::count_if(last.base(), ops.end(), [](const RingBwdOp& op) { return op.kind == Kind::post_sums; }),
        2);
    int under_way = 0;
    for (auto op = ops.begin(); op != last.base(); ++op) {
      if (op->kind == Kind::post_sums) under_way = 1;
      if (op->kind == Kind::compute) under_way = 0;
      if (op->kind != Kind::wait_sums) continue;
      EXPECT_EQ(under_way, 0) << "waits before it computes";
    }
  }
}

TEST(DoubleRingBackward, RejectsGroupsThatDoNotFill) {
  EXPECT_THROW(double_ring_bwd_schedule(6, 0, 4), Error);
  EXPECT_THROW(double_ring_bwd_schedule(6, 6, 2), Error);
  EXPECT_THROW(double_ring_bwd_schedule(0, 0, 1), Error);
}

TEST(AllGatherBackward, GathersThenComputesThenScatters) {
  const auto ops = allgather_bwd_schedule(5, 2);
  const auto phase = [](const RingBwdOp& op) {
    if (op.kind == Kind::post_keys || op.kind == Kind::wait_keys) return 0;
    return op.kind == Kind::compute ? 1 : 2;
  };
  EXPECT_TRUE(std::ranges::is_sorted(ops, {}, phase));
  EXPECT_THROW(allgather_bwd_schedule(2, 2), Error);
}

}  // namespace
}  // namespace bench::attention
