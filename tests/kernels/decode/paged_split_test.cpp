// SPDX-License-Identifier: Apache-2.0
// How a device's decode kernels cut sequences into spans: what a cut covers, and which cut makes a sequence's bits its own.
#include "kernels/decode/paged_split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/decode/paged_body.hpp"
#include "kernels/decode/paged_mma.hpp"
#include "tests/kernels/decode/host_launch.hpp"

namespace bench::decode {
namespace {

using support::HostMachine;

TEST(PlanSplits, FillsTheDeviceWithTheFewestSpans) {
  EXPECT_EQ(plan_splits(1000, 8192, 500).splits, 1) << "two full waves need no cut";
  const SplitPlan few = plan_splits(8, 65536, 528);
  EXPECT_GE(few.splits * 8, 400) << "eight blocks would leave most of 528 places empty";
  EXPECT_LE(few.splits * 8, 528);
  EXPECT_EQ(plan_splits(8, 200, 528).splits, 1) << "a span is not worth its start";
}

/// Share of a device's places that are at work, wave by wave, when each of so many blocks is cut into spans of `span` tokens.
double at_work(std::int64_t blocks, std::int64_t tokens, std::int64_t span, std::int64_t slots) {
  std::int64_t left = 0, waves = 0;
  for (std::int64_t begin = 0; begin < tokens; begin += span) left += blocks;
  const std::int64_t all = left;
  for (; left > 0; left -= slots) ++waves;
  return static_cast<double>(all) / static_cast<double>(waves * slots);
}

TEST(PlanSplits, TakesTheLongestSpanThatKeepsTheDeviceNearlyAsBusyAsTheBestDoes) {
  for (const std::int64_t slots : {108, 132, 528})
    for (const std::int64_t blocks : {1, 8, 31, 100, 131, 133, 400, 529})
      for (const std::int64_t tokens : {1, 300, 2048, 5000, 33000}) {
        SCOPED_TRACE(concat(blocks, " blocks of ", tokens, " tokens, ", slots, " slots"));
        const std::int64_t most = std::clamp<std::int64_t>(tokens / kShortestSpan, 1, kMostSplits);
        std::vector<std::pair<std::int64_t, double>> cuts;  // span, share; the longest span first
        double best = 0.0;
        for (std::int64_t splits = 1; splits <= most; ++splits) {
          const std::int64_t span = (((tokens + splits - 1) / splits) + kSpanStep - 1) / kSpanStep * kSpanStep;
          cuts.emplace_back(span, at_work(blocks, tokens, span, slots));
          best = std::max(best, cuts.back().second);
        }
        const auto wanted = std::ranges::find_if(cuts, [&](const auto& cut) { return cut.second >= 0.85 * best; });
        EXPECT_EQ(plan_splits(blocks, tokens, slots).span, wanted->first);
      }
}

void expect_every_token_once(const SplitPlan& plan, std::int64_t tokens) {
  EXPECT_EQ(plan.span % kSpanStep, 0);
  EXPECT_GE(plan.splits * plan.span, tokens);
  EXPECT_LT((plan.splits - 1) * plan.span, tokens) << "no span is empty";
}

TEST(PlanSplits, CoversEveryTokenOnce) {
  for (const std::int64_t tokens : {1, 64, 257, 1000, 4096, 100000})
    for (const std::int64_t blocks : {1, 7, 64, 600}) {
      const SplitPlan plan = plan_splits(blocks, tokens, 528);
      expect_every_token_once(plan, tokens);
      EXPECT_LE(plan.splits, kMostSplits);
    }
}

TEST(FixedSplits, CoverEveryTokenOnce) {
  for (const std::int64_t tokens : {1, 511, 512, 513, 100000}) expect_every_token_once(fixed_splits(tokens), tokens);
}

/// Every block's part of a job, whatever its splits and chunks: each head and token of each sequence exactly once.
TEST(PagedPart, GivesEveryHeadAndTokenToOneBlock) {
  for (const int group : {1, 7, 8, 9, 22, 70})
    for (const int most_rows : {1, 8, 16, 64})
      for (const int span : {64, 192}) {
        const std::vector<std::int32_t> lengths{300, 1, 64, 193};
        PagedJob job{};
        job.batch = 4;
        job.kv_heads = 3;
        job.heads = 3 * group;
        job.span = span;
        job.splits = (300 + span - 1) / span;
        job.lengths = lengths.data();
        std::vector<int> seen(static_cast<std::size_t>(4 * job.heads * 300));
        for (int block = 0; block < PagedPart::blocks(job, most_rows); ++block) {
          const PagedPart part(job, block, most_rows);
          if (part.behind_the_end()) continue;
          EXPECT_EQ(part.head / group, part.kv_head);
          EXPECT_EQ((part.head + part.rows - 1) / group, part.kv_head);
          for (int row = 0; row < part.rows; ++row)
            for (int token = part.begin; token < part.end; ++token) ++seen[static_cast<std::size_t>((part.sequence * job.heads + part.head + row) * 300 + token)];
        }
        for (std::size_t i = 0; i < seen.size(); ++i) {
          const bool owned = static_cast<int>(i % 300) < lengths[i / 300 / static_cast<std::size_t>(job.heads)];
          ASSERT_EQ(seen[i], owned ? 1 : 0) << "group " << group << " rows " << most_rows << " span " << span << " at " << i;
        }
      }
}

test::HostCase company() {
  Params params = test::shape(1100, 8, 1);  // three spans of 512; the others two or one
  params["batch"] = std::int64_t{7};
  params["lengths"] = std::string("ragged");
  return test::HostCase(params);
}

/// Every sequence alone and among the others.
template <class Body>
void expect_no_trace_of_company() {
  const test::HostCase c = company();
  ASSERT_LE(std::ranges::min(sequence_lengths(c.p())), kFixedSpan) << "a sequence of one span is among them";
  const Tensors together = test::run_on_host<Bf16, Body>(c, kFixedSpan, 0, 7);
  for (const std::int64_t b : {0, 2, 6}) expect_same_bits(rows_of(together, b), test::run_on_host<Bf16, Body>(c, kFixedSpan, b, 1, 7));
}

TEST(FixedSplits, LeaveASequenceTheSameBitsAloneAndInABatch) {
  expect_no_trace_of_company<PagedSplit<HostMachine, Bf16, 64, 8>>();
  expect_no_trace_of_company<PagedMma<HostMachine, Bf16, 64, 1>>();
}

TEST(PlanSplits, PromisesNoSuchThing) {
  const SplitPlan alone = plan_splits(1, 1100, 132), in_a_crowd = plan_splits(132, 1100, 132);
  ASSERT_NE(alone.span, in_a_crowd.span) << "one sequence is cut to fill the device, a hundred and thirty-two fill it as they are";
  const test::HostCase c = company();
  using Body = PagedMma<HostMachine, Bf16, 64, 1>;
  const Tensors one = test::run_on_host<Bf16, Body>(c, alone.span, 0, 1), other = test::run_on_host<Bf16, Body>(c, in_a_crowd.span, 0, 1);
  EXPECT_NE(std::memcmp(one["lse"].data(), other["lse"].data(), static_cast<std::size_t>(one["lse"].bytes())), 0);
}

}  // namespace
}  // namespace bench::decode
