// SPDX-License-Identifier: Apache-2.0
// The schedules in which keys and values travel, by one set of rules: ring, double ring, all-gather.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "kernels/attention/allgather_schedule.hpp"
#include "kernels/attention/double_ring_schedule.hpp"
#include "src/core/error.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/ring_checker.hpp"

namespace bench::attention {
namespace {

using Kind = RingOp::Kind;
using Lists = std::vector<std::vector<RingOp>>;

struct Variant {
  const char* name;
  std::vector<RingOp> (*schedule)(int ranks, int rank);
  int (*slots)(int ranks);
};

std::vector<RingOp> square_double_ring(int ranks, int rank) {
  return double_ring_schedule(ranks, rank, inner_ring_size(ranks));
}
/// The other way round: inner rings as long as the divisor allows.
std::vector<RingOp> wide_double_ring(int ranks, int rank) {
  return double_ring_schedule(ranks, rank, ranks / inner_ring_size(ranks));
}

constexpr Variant kVariants[] = {
    {"Ring", ring_schedule, [](int) { return kRingSlots; }},
    {"DoubleRing", square_double_ring, [](int) { return kDoubleRingSlots; }},
    {"WideDoubleRing", wide_double_ring, [](int) { return kDoubleRingSlots; }},
    {"AllGather", allgather_schedule, [](int ranks) { return ranks; }},
};

Lists all_ranks(const Variant& variant, int ranks) {
  Lists lists;
  for (int r = 0; r < ranks; ++r) lists.push_back(variant.schedule(ranks, r));
  return lists;
}

std::vector<int RingOp::*> used(const RingOp& op) {
  if (op.kind == Kind::wait) return {&RingOp::lane};
  if (op.kind == Kind::compute) return {&RingOp::slot_out, &RingOp::source_out};
  return {&RingOp::slot_out, &RingOp::slot_in, &RingOp::source_out, &RingOp::source_in,
          &RingOp::to,       &RingOp::from,    &RingOp::lane};
}

class KvSchedules : public ::testing::TestWithParam<std::tuple<Variant, int>> {
 protected:
  const Variant variant = std::get<0>(GetParam());
  const int ranks = std::get<1>(GetParam());
  const Lists lists = all_ranks(variant, ranks);
  std::string check(const Lists& these) const { return support::check_ring(these, variant.slots(ranks)); }
};

std::string name_of(const ::testing::TestParamInfo<std::tuple<Variant, int>>& info) {
  return concat(std::get<0>(info.param).name, "_P", std::get<1>(info.param));
}

TEST_P(KvSchedules, EveryRankMeetsEveryBlockOnceAndNoSlotIsOverwritten) {
  EXPECT_EQ(check(lists), "");
}

TEST_P(KvSchedules, EveryRankSendsOneBlockLessThanThereAreRanks) {
  for (const auto& list : lists) {
    EXPECT_EQ(std::ranges::count(list, Kind::post, &RingOp::kind), ranks - 1);
    EXPECT_EQ(std::ranges::count(list, Kind::wait, &RingOp::kind), ranks - 1);
    EXPECT_EQ(std::ranges::count(list, Kind::compute, &RingOp::kind), ranks);
  }
}

TEST_P(KvSchedules, EveryMutationOfOneRankIsCaught) {
  int tried = 0;
  support::for_each_mutation(lists, lists.size() - 1, used,
                             [&](const Lists& mutated, const std::string& what) {
                               ++tried;
                               EXPECT_NE(check(mutated), "") << what;
                             });
  EXPECT_GE(tried, 3 * ranks);
}

// Up to 9: 2, 3, 5 and 7 are prime, 4 and 9 squares, 6 and 8 have inner rings shorter than the outer one.
INSTANTIATE_TEST_SUITE_P(Groups, KvSchedules,
                         ::testing::Combine(::testing::ValuesIn(kVariants), ::testing::Range(1, 10)),
                         name_of);

TEST(DoubleRing, HasTheLargestInnerRingNotAboveTheSquareRoot) {
  const int want[] = {1, 1, 1, 2, 1, 2, 1, 2, 3, 2, 1, 3};
  for (int ranks = 1; ranks <= 12; ++ranks) EXPECT_EQ(inner_ring_size(ranks), want[ranks - 1]) << ranks;
}

TEST(DoubleRing, OfAPrimeIsThePlainRing) {
  for (const int ranks : {1, 2, 3, 5, 7}) {
    for (int r = 0; r < ranks; ++r) {
      const auto single = ring_schedule(ranks, r), twice = double_ring_schedule(ranks, r, 1);
      ASSERT_EQ(single.size(), twice.size());
      for (std::size_t i = 0; i < single.size(); ++i) {
        EXPECT_EQ(single[i].kind, twice[i].kind);
        if (single[i].kind == Kind::wait) continue;
        EXPECT_EQ(single[i].source_out, twice[i].source_out);
        EXPECT_EQ(single[i].slot_out, twice[i].slot_out);
      }
    }
  }
}

TEST(DoubleRing, LeavesTheGroupOnceForEveryOtherGroup) {
  constexpr int kRanks = 12, kInner = 3;
  for (int r = 0; r < kRanks; ++r) {
    int across = 0;
    for (const RingOp& op : double_ring_schedule(kRanks, r, kInner))
      across += op.kind == Kind::post && op.to / kInner != r / kInner ? 1 : 0;
    EXPECT_EQ(across, kRanks / kInner - 1);
  }
}

TEST(DoubleRing, HidesEachHopBetweenGroupsBehindAWholeInnerRing) {
  constexpr int kRanks = 8, kInner = 2, kOuterLane = 1;
  int computes = 0;
  bool under_way = false;
  for (const RingOp& op : double_ring_schedule(kRanks, 5, kInner)) {
    if (op.kind == Kind::post && op.lane == kOuterLane) under_way = true, computes = 0;
    if (op.kind == Kind::compute) ++computes;
    if (op.kind == Kind::wait && op.lane == kOuterLane) {
      EXPECT_TRUE(under_way);
      EXPECT_EQ(computes, kInner);
    }
  }
}

TEST(DoubleRing, RejectsGroupsThatDoNotFill) {
  EXPECT_THROW(double_ring_schedule(6, 0, 4), Error);
  EXPECT_THROW(double_ring_schedule(6, 6, 2), Error);
  EXPECT_THROW(double_ring_schedule(0, 0, 1), Error);
}

TEST(AllGather, GathersBeforeItComputes) {
  const auto ops = allgather_schedule(5, 2);
  const auto first = std::ranges::find(ops, Kind::compute, &RingOp::kind);
  EXPECT_TRUE(std::all_of(first, ops.end(), [](const RingOp& op) { return op.kind == Kind::compute; }));
  EXPECT_THROW(allgather_schedule(2, 2), Error);
}

TEST(AllGather, NeverSendsToARankThatAnotherSendsToInTheSameRound) {
  constexpr int kRanks = 7;
  for (std::size_t round = 0; round < kRanks - 1; ++round) {
    std::set<int> targets;
    for (int r = 0; r < kRanks; ++r) {
      std::vector<RingOp> posts;
      std::ranges::copy_if(allgather_schedule(kRanks, r), std::back_inserter(posts),
                           [](const RingOp& op) { return op.kind == Kind::post; });
      targets.insert(posts.at(round).to);
    }
    EXPECT_EQ(targets.size(), std::size_t{kRanks});
  }
}

}  // namespace
}  // namespace bench::attention
