// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/pass_q_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "src/core/error.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/pass_q_checker.hpp"

namespace bench::attention {
namespace {

using Kind = PassQOp::Kind;
using Lists = std::vector<std::vector<PassQOp>>;

Lists all_ranks(int ranks) {
  Lists lists;
  for (int r = 0; r < ranks; ++r) lists.push_back(pass_q_schedule(ranks, r));
  return lists;
}

std::vector<int PassQOp::*> used(const PassQOp& op) {
  switch (op.kind) {
    case Kind::wait:
      return {&PassQOp::lane};
    case Kind::compute:
    case Kind::pack:
      return {&PassQOp::slot_out, &PassQOp::owner_out};
    case Kind::merge:
      return {&PassQOp::slot_in, &PassQOp::owner_in, &PassQOp::from};
    case Kind::pass:
    case Kind::give:
      break;
  }
  return {&PassQOp::slot_out, &PassQOp::slot_in, &PassQOp::owner_out, &PassQOp::owner_in,
          &PassQOp::to,       &PassQOp::from,    &PassQOp::lane};
}

class PassQSchedule : public ::testing::TestWithParam<int> {
 protected:
  Lists lists = all_ranks(GetParam());
};

TEST_P(PassQSchedule, EveryQueryMeetsEveryKeyOnceAndComesHome) {
  EXPECT_EQ(support::check_pass_q(lists), "");
}

TEST_P(PassQSchedule, PassesQueriesAndGivesResultsOnceForEveryOtherRank) {
  for (const auto& list : lists) {
    EXPECT_EQ(std::ranges::count(list, Kind::pass, &PassQOp::kind), GetParam() - 1);
    EXPECT_EQ(std::ranges::count(list, Kind::give, &PassQOp::kind), GetParam() - 1);
    EXPECT_EQ(std::ranges::count(list, Kind::compute, &PassQOp::kind), GetParam());
  }
}

TEST_P(PassQSchedule, SendsEachResultBehindTheNextCompute) {
  for (const auto& list : lists) {
    int given_and_not_merged = 0, hidden = 0;
    for (const PassQOp& op : list) {
      if (op.kind == Kind::give) ++given_and_not_merged;
      if (op.kind == Kind::merge) --given_and_not_merged;
      if (op.kind == Kind::compute && given_and_not_merged > 0) ++hidden;
    }
    EXPECT_EQ(hidden, std::max(GetParam() - 2, 0));  // all but the last one, which has no compute after it
  }
}

TEST_P(PassQSchedule, MergesInTheSameOrderEverywhere) {
  for (int r = 0; r < GetParam(); ++r) {
    int step = 0;
    for (const PassQOp& op : lists[static_cast<std::size_t>(r)])
      if (op.kind == Kind::merge) {
        EXPECT_EQ(op.from, (r + ++step) % GetParam());
      }
  }
}

TEST_P(PassQSchedule, EveryMutationOfOneRankIsCaught) {
  support::for_each_mutation(lists, lists.size() - 1, used,
                             [&](const Lists& mutated, const std::string& what) {
                               EXPECT_NE(support::check_pass_q(mutated), "") << what;
                             });
}

INSTANTIATE_TEST_SUITE_P(Groups, PassQSchedule, ::testing::Range(1, 10));  // primes, squares, even and odd

TEST(PassQSchedule, RejectsARankOutsideTheGroup) {
  EXPECT_THROW(pass_q_schedule(0, 0), Error);
  EXPECT_THROW(pass_q_schedule(3, 3), Error);
}

// Mistakes of order, which no change of a field makes.
TEST(BrokenPassQ, PackingAfterTheNextVisitorIsCaught) {
  Lists lists = all_ranks(4);
  auto& ops = lists[1];
  const auto pack = std::ranges::find(ops, Kind::pack, &PassQOp::kind);
  const auto next = std::find_if(pack, ops.end(), [](const PassQOp& op) { return op.kind == Kind::compute; });
  std::rotate(pack, pack + 1, next + 1);
  EXPECT_NE(support::check_pass_q(lists), "");
}

TEST(BrokenPassQ, MergingBeforeTheWaitIsCaught) {
  Lists lists = all_ranks(3);
  auto& ops = lists[0];
  const auto merge = std::ranges::find(ops, Kind::merge, &PassQOp::kind);
  std::iter_swap(merge, merge - 1);
  EXPECT_NE(support::check_pass_q(lists), "");
}

}  // namespace
}  // namespace bench::attention
