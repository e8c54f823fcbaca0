// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/ulysses_schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/attention/head_split.hpp"
#include "src/core/error.hpp"
#include "tests/support/mutations.hpp"
#include "tests/support/ulysses_checker.hpp"

namespace bench::attention {
namespace {

using Kind = UlyssesOp::Kind;
using Lists = std::vector<std::vector<UlyssesOp>>;

Lists all_ranks(int ranks) {
  Lists lists;
  for (int r = 0; r < ranks; ++r) lists.push_back(ulysses_schedule(ranks, r));
  return lists;
}

std::vector<int UlyssesOp::*> used(const UlyssesOp& op) {
  switch (op.kind) {
    case Kind::attend:
      return {};
    case Kind::wait:
      return {&UlyssesOp::lane};
    case Kind::pack:
      return {&UlyssesOp::slot_out, &UlyssesOp::to};
    case Kind::unpack:
      return {&UlyssesOp::slot_in, &UlyssesOp::from};
    case Kind::post:
      break;
  }
  return {&UlyssesOp::slot_out, &UlyssesOp::slot_in, &UlyssesOp::to, &UlyssesOp::from, &UlyssesOp::lane};
}

class UlyssesSchedule : public ::testing::TestWithParam<int> {
 protected:
  Lists lists = all_ranks(GetParam());
};

TEST_P(UlyssesSchedule, EveryShareReachesEveryRankAndEveryResultComesBack) {
  EXPECT_EQ(support::check_ulysses(lists), "");
}

TEST_P(UlyssesSchedule, EveryMutationOfOneRankIsCaught) {
  support::for_each_mutation(lists, lists.size() - 1, used,
                             [&](const Lists& mutated, const std::string& what) {
                               EXPECT_NE(support::check_ulysses(mutated), "") << what;
                             });
}

TEST_P(UlyssesSchedule, TakingResultsForInputsIsCaught) {
  for (UlyssesOp& op : lists.back()) {
    if (op.kind != Kind::pack) continue;
    op.cargo = UlyssesOp::Cargo::results;
    break;
  }
  EXPECT_NE(support::check_ulysses(lists), "");
}

INSTANTIATE_TEST_SUITE_P(Groups, UlyssesSchedule, ::testing::Range(1, 10));  // primes, squares, even and odd

TEST(UlyssesSchedule, RejectsARankOutsideTheGroup) {
  EXPECT_THROW(ulysses_schedule(0, 0), Error);
  EXPECT_THROW(ulysses_schedule(2, -1), Error);
}

AttentionProblem with_heads(std::int64_t heads, std::int64_t kv_heads, std::int64_t ranks) {
  AttentionProblem p;
  p.heads = heads;
  p.kv_heads = kv_heads;
  p.ranks = ranks;
  return p;
}

TEST(HeadSplit, GivesEveryHeadToOneRankWithTheKeysThatItReads) {
  for (const auto& p :
       {with_heads(8, 8, 3), with_heads(8, 2, 8), with_heads(12, 4, 5), with_heads(6, 1, 4)}) {
    std::int64_t next = 0;
    for (std::int64_t rank = 0; rank < p.ranks; ++rank) {
      const HeadRun run = rank_heads(p, rank);
      EXPECT_EQ(run.first, next);
      EXPECT_GE(run.count, 1);
      EXPECT_EQ(run.kv_first, run.first / p.group());
      EXPECT_EQ(run.kv_first + run.kv_count - 1, (run.first + run.count - 1) / p.group());
      next += run.count;
    }
    EXPECT_EQ(next, p.heads);
  }
}

TEST(HeadSplit, SaysWhetherRanksShareKeys) {
  EXPECT_FALSE(ranks_share_keys(with_heads(8, 8, 3)));  // a group of one is never cut
  EXPECT_FALSE(ranks_share_keys(with_heads(8, 2, 2)));  // a group a rank
  EXPECT_TRUE(ranks_share_keys(with_heads(8, 2, 4)));   // half a group a rank
  EXPECT_TRUE(ranks_share_keys(with_heads(12, 4, 5)));  // runs of 3 3 2 2 2: the last ones cut groups of 3
  EXPECT_FALSE(ranks_share_keys(with_heads(8, 1, 1)));  // nobody to share with
}

TEST(HeadSplit, CutsARunIntoPiecesOfOneGroupSize) {
  // 12 heads in groups of 3 over 5 ranks: runs of 3 3 2 2 2 heads from 0, 3, 6, 8, 10.
  const AttentionProblem p = with_heads(12, 4, 5);
  const auto pieces_of = [&](std::int64_t rank) { return uniform_pieces(p, rank_heads(p, rank)); };
  EXPECT_EQ(pieces_of(0).size(), 1U);  // a whole group
  EXPECT_EQ(pieces_of(2).size(), 1U);  // heads 6, 7 of the third group
  const auto cut = pieces_of(3);       // head 8 of the third group, head 9 of the fourth
  ASSERT_EQ(cut.size(), 2U);
  EXPECT_EQ(cut[0].first, 8);
  EXPECT_EQ(cut[0].kv_first, 2);
  EXPECT_EQ(cut[1].first, 9);
  EXPECT_EQ(cut[1].kv_first, 3);
  EXPECT_EQ(cut[0].count + cut[1].count, 2);
  EXPECT_EQ(uniform_pieces(with_heads(8, 8, 2), rank_heads(with_heads(8, 8, 2), 1)).size(), 1U);
}

}  // namespace
}  // namespace bench::attention
