// SPDX-License-Identifier: Apache-2.0
// Ring, double ring and all-gather as devices play them, on the host: the same lists as the host's kernels, the tensor-core body of a hop, exchanges that
// land at the worst moment; against the fp64 oracle. And that mistakes are found.
#include <gtest/gtest.h>

#include "kernels/attention/allgather_schedule.hpp"
#include "tests/kernels/attention/device_play.hpp"

namespace bench::attention {
namespace {

using support::Lands;
using test::device_play;

struct Variant {
  const char* name;
  std::vector<RingOp> (*schedule)(int ranks, int rank);
};
constexpr Variant kVariants[] = {{"Ring", ring_schedule}, {"DoubleRing", test::double_ring_of}, {"AllGather", allgather_schedule}};
constexpr Layout kLayouts[] = {Layout::contiguous, Layout::zigzag, Layout::striped};

class KvPassingOnDevices : public ::testing::TestWithParam<Variant> {
 protected:
  static double excess(const DistributedSize& size, bool causal, Layout layout, int ranks, Lands lands = Lands::mixed, std::function<void(KvPlan&, int)> spoil = {}) {
    device_play = {GetParam().schedule, lands, std::move(spoil)};
    return test::excess_of(test::played_kv(), distributed_problem(size, DType::bf16, causal, layout, ranks));
  }
};

TEST_P(KvPassingOnDevices, EqualsTheOracleOnEveryLayout) {
  const bool is_ring = GetParam().schedule == ring_schedule;
  for (const int ranks : is_ring ? std::vector<int>{1, 2, 3, 4} : std::vector<int>{4})  // 3: parity and modulo
    for (const Layout layout : kLayouts)
      for (const bool causal : {false, true}) {
        SCOPED_TRACE(concat("P ", ranks, " ", to_text(layout), causal ? " causal" : " full"));
        EXPECT_LE(excess({1, 2, 1, 101, 24}, causal, layout, ranks), 1.0);  // ragged for every P and every tile; grouped heads
      }
}

TEST_P(KvPassingOnDevices, EqualsTheOracleWithSeveralTilesAHop) {
  for (const Layout layout : kLayouts) EXPECT_LE(excess({1, 1, 1, 260, 16}, true, layout, 2), 1.0) << to_text(layout);  // 130 rows a rank: 2 tiles and 2 rows
}

TEST_P(KvPassingOnDevices, LeavesRanksEmptyWhereRowsAreFew) {
  for (const std::int64_t seq : {1, 3, 5})
    for (const bool causal : {false, true}) EXPECT_LE(excess({2, 1, 1, seq, 8}, causal, Layout::zigzag, 4), 1.0) << seq;
}

TEST_P(KvPassingOnDevices, DoesNotDependOnWhenExchangesLand) {
  const auto p = distributed_problem({1, 1, 1, 200, 32}, DType::bf16, true, Layout::zigzag, 4);
  const Tensors inputs = support::make_inputs(support::find_op("attention"), p, 9);
  const auto run = [&](Lands lands) {
    device_play = {GetParam().schedule, lands};
    return run_distributed(test::played_kv(), p, inputs);
  };
  const DistributedRun early = run(Lands::early), late = run(Lands::late);
  for (const char* name : {"out", "lse"})
    EXPECT_EQ(std::memcmp(early.outputs[name].data(), late.outputs[name].data(), static_cast<std::size_t>(late.outputs[name].bytes())), 0) << name;
}

TEST(AllGatherOnDevices, MayComputeInAnyOrder) {
  // The own block last: of the first one some rows see nothing (zigzag, two tiles of rows a rank), and their state begins there all the same.
  device_play = {allgather_schedule, Lands::mixed, [](KvPlan& plan, int) {
                   const auto first = std::ranges::find(plan.schedule, RingOp::Kind::compute, &RingOp::kind);
                   std::reverse(first, plan.schedule.end());
                 }};
  EXPECT_LE(test::excess_of(test::played_kv(), distributed_problem({1, 1, 1, 256, 16}, DType::bf16, true, Layout::zigzag, 2)), 1.0);
}

constexpr DistributedSize kSpoilt{1, 2, 1, 128, 16};  // equal shares, so that no mistake changes the length of a message
constexpr double kFar = 10.0;                         // a wrong block is an error of order 1; the tolerance is some 1e-2

RingOp& nth(KvPlan& plan, RingOp::Kind kind, int n) {
  for (RingOp& op : plan.schedule)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

TEST_P(KvPassingOnDevices, AWrongSourceIsFound) {
  EXPECT_GT(excess(kSpoilt, true, Layout::zigzag, 4, Lands::mixed,
                   [](KvPlan& plan, int rank) {
                     RingOp& op = nth(plan, RingOp::Kind::compute, 1);
                     if (rank == 1) op.source_out = (op.source_out + 3) % 4;  // from below its own to above it
                   }),
            kFar);
}

TEST_P(KvPassingOnDevices, AStaleSlotIsFound) {
  EXPECT_GT(excess(kSpoilt, false, Layout::zigzag, 4, Lands::mixed, [](KvPlan& plan, int) { nth(plan, RingOp::Kind::compute, 2).slot_out = 0; }), kFar);
}

TEST_P(KvPassingOnDevices, AWaitThatIsLeftOutIsFound) {
  EXPECT_GT(excess(kSpoilt, false, Layout::zigzag, 4, Lands::late,
                   [](KvPlan& plan, int) {
                     plan.schedule.erase(std::ranges::find(plan.schedule, RingOp::Kind::wait, &RingOp::kind));
                   }),
            kFar);
}

TEST_P(KvPassingOnDevices, AWaitThatComesTooLateIsFound) {
  EXPECT_GT(excess(kSpoilt, false, Layout::zigzag, 4, Lands::late,
                   [](KvPlan& plan, int) {  // after the compute that needs it
                     const auto last = std::ranges::find(plan.schedule.rbegin(), plan.schedule.rend(), RingOp::Kind::wait, &RingOp::kind).base() - 1;
                     const RingOp wait = *last;
                     plan.schedule.erase(last);
                     plan.schedule.push_back(wait);
                   }),
            kFar);
}

TEST_P(KvPassingOnDevices, ASlotThatIsFilledTooEarlyIsFound) {
  EXPECT_GT(excess(kSpoilt, false, Layout::zigzag, 4, Lands::early,
                   [](KvPlan& plan, int) {  // into the block that the next compute reads
                     RingOp& post = nth(plan, RingOp::Kind::post, 1);
                     const int wrong = GetParam().schedule == allgather_schedule ? 1 : post.slot_out;
                     for (RingOp& op : plan.schedule) {
                       if (op.kind == RingOp::Kind::compute && op.slot_out == post.slot_in && op.source_out == post.source_in) op.slot_out = wrong;
                       if (op.kind == RingOp::Kind::post && op.slot_out == post.slot_in && op.source_out == post.source_in) op.slot_out = wrong;
                     }
                     post.slot_in = wrong;
                   }),
            kFar);
}

TEST_P(KvPassingOnDevices, ARowThatSeesOneKeyTooManyIsFound) {
  EXPECT_GT(excess(kSpoilt, true, Layout::striped, 4, Lands::mixed,
                   [](KvPlan& plan, int) {
                     for (std::size_t i = 1; i < plan.bounds.size(); i += 2) plan.bounds[i] = std::min(plan.bounds[i] + 1, 32);
                   }),
            kFar);
}

INSTANTIATE_TEST_SUITE_P(Variants, KvPassingOnDevices, ::testing::ValuesIn(kVariants), [](const auto& which) { return std::string(which.param.name); });

TEST(HopBounds, AreTheKeysOfAShareThatARowSees) {
  for (const Layout layout : kLayouts)
    for (const std::int64_t seq : {1, 2, 7, 24, 37})
      for (const std::int64_t ranks : {2, 3, 4}) {
        const auto p = distributed_problem({1, 1, 1, seq, 8}, DType::bf16, true, layout, ranks);
        const Shares shares(p);
        for (int mine = 0; mine < ranks; ++mine)
          for (int source = 0; source < ranks; ++source) {
            const auto bounds = hop_bounds(shares.of(mine), shares.of(source));
            for (std::size_t i = 0; i < shares.of(mine).size(); ++i)
              for (std::size_t j = 0; j < shares.of(source).size(); ++j) {
                const auto key = static_cast<std::int32_t>(j);
                ASSERT_EQ(key >= bounds[2 * i] && key < bounds[2 * i + 1], shares.of(source)[j] < p.visible(0, shares.of(mine)[i]).end) << mine << ' ' << source;
              }
          }
      }
}

}  // namespace
}  // namespace bench::attention
