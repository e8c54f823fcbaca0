// SPDX-License-Identifier: Apache-2.0
// The backward ring, double ring and all-gather as devices play them, on the host: the same lists as the host's kernels, the tensor-core bodies, exchanges
// that land at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/attention/kv_passing_bwd_device.hpp"

#include <gtest/gtest.h>

#include "kernels/attention/allgather_bwd_schedule.hpp"
#include "kernels/attention/double_ring_bwd_schedule.hpp"
#include "tests/kernels/attention/bwd_device_play.hpp"

namespace bench::attention {
namespace {

using support::Lands;
using Kind = RingBwdOp::Kind;

struct Plan {
  BwdSchedule schedule = ring_bwd_schedule;
  Lands lands = Lands::mixed;
  std::function<void(KvBwdPlan&, int rank)> spoil = {};
};
Plan plan_of_test;

struct Played : test::PlayedBwd {
  using PlayedBwd::PlayedBwd;
  KvBwdPlan plan;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  save_forward(p, tensors, context);
  auto played = std::make_unique<Played>(*context.link, plan_of_test.lands);
  KvBwdPlan& plan = played->plan = KvBwdPlan(p, context.link->rank(), plan_of_test.schedule(context.link->size(), context.link->rank()));
  if (plan_of_test.spoil) plan_of_test.spoil(plan, context.link->rank());
  plan.place(played->take(plan.memory_bytes()));
  plan.bounds_data = plan.bounds.data();
  const Tensor &k = tensors["k"], &v = tensors["v"];
  std::memcpy(plan.keys[0], k.data(), static_cast<std::size_t>(k.bytes()));
  std::memcpy(plan.keys[0] + k.bytes(), v.data(), static_cast<std::size_t>(v.bytes()));
  const BwdScratch size(plan.own_problem(p), test::BwdBody::kRows, test::BwdBody::kColumns, 0);
  plan.own.rows = reinterpret_cast<RowNumbers*>(played->take(size.rows * static_cast<std::int64_t>(sizeof(RowNumbers))));
  plan.own.dq_sums = reinterpret_cast<float*>(played->take(size.sums * static_cast<std::int64_t>(sizeof(float))));
  plan.own.q = tensors["q"].data(), plan.own.dout = tensors["dout"].data(), plan.own.out = tensors["out"].data();
  plan.own.lse = tensors["lse"].as<float>();
  plan.own.dq = tensors["dq"].data();
  plan.dk = tensors["dk"].data(), plan.dv = tensors["dv"].data();
  return played;
}

void run(const Problem&, Tensors&, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  play(played.plan, played.link.get(), nullptr, test::HostBwdLaunch{});
}

double excess(const DistributedSize& size, bool causal, Layout layout, int ranks, Plan plan = {}) {
  plan_of_test = std::move(plan);
  Kernel kernel = test::played_bwd("attention/ring_bwd_cpu");
  kernel.prepare = prepare;
  kernel.run = run;
  AttentionProblem p = distributed_problem(size, DType::bf16, causal, layout, ranks);
  p.pass = "bwd";
  return test::excess_of(kernel, p);
}

std::vector<RingBwdOp> double_ring(int ranks, int rank) { return double_ring_bwd_schedule(ranks, rank, inner_ring_size(ranks)); }

TEST(KvPassingBwdOnDevices, EqualsTheOracleOnEveryLayout) {
  for (const int ranks : {1, 2, 3, 4})
    for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
      EXPECT_LE(excess({1, 2, 1, 53, 24}, ranks != 3, layout, ranks), 1.0) << ranks << ' ' << to_text(layout);
}

TEST(KvPassingBwdOnDevices, PlaysTheOtherListsOnEveryLayout) {
  for (const BwdSchedule schedule : {double_ring, allgather_bwd_schedule})
    for (const int ranks : {1, 2, 3, 4})  // double ring: two rings of two only for 4
      for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
        EXPECT_LE(excess({1, 2, 1, 53, 24}, ranks % 2 == 0, layout, ranks, {schedule}), 1.0) << ranks << ' ' << to_text(layout);
}

TEST(KvPassingBwdOnDevices, PlaysEveryListWheneverExchangesLand) {
  for (const BwdSchedule schedule : {BwdSchedule{ring_bwd_schedule}, double_ring, allgather_bwd_schedule})
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess({1, 2, 2, 37, 16}, true, Layout::zigzag, 4, {schedule, lands}), 1.0);
}

TEST(KvPassingBwdOnDevices, PlaysADoubleRingOfTwoGroupsOfThree) {  // where the inner ring's sums turn through three slots
  const BwdSchedule of_three = [](int ranks, int rank) { return double_ring_bwd_schedule(ranks, rank, 3); };
  EXPECT_LE(excess({1, 1, 1, 41, 8}, true, Layout::striped, 6, {of_three}), 1.0);
}

TEST(KvPassingBwdOnDevices, EqualsTheOracleWithSeveralTilesAHop) { EXPECT_LE(excess({1, 1, 1, 140, 16}, true, Layout::zigzag, 2), 1.0); }

TEST(KvPassingBwdOnDevices, LeavesRanksEmptyWhereRowsAreFew) {
  for (const std::int64_t seq : {1, 3}) EXPECT_LE(excess({2, 2, 1, seq, 8}, true, Layout::contiguous, 4), 1.0) << seq;
}

constexpr DistributedSize kSpoilt{1, 2, 1, 32, 16};  // equal shares, so that no mistake changes the length of a message
constexpr double kFar = 10.0;

double spoilt(Lands lands, std::function<void(KvBwdPlan&, int)> spoil) { return excess(kSpoilt, false, Layout::zigzag, 4, {ring_bwd_schedule, lands, std::move(spoil)}); }

RingBwdOp& nth(KvBwdPlan& plan, Kind kind, int n) {
  for (RingBwdOp& op : plan.schedule)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}

TEST(KvPassingBwdOnDevices, StaleKeysAreFound) {
  EXPECT_GT(spoilt(Lands::mixed, [](KvBwdPlan& plan, int) { nth(plan, Kind::compute, 2).slot_out = 0; }), kFar);
}

TEST(KvPassingBwdOnDevices, SumsThatAreNotAddedAreFound) {
  EXPECT_GT(spoilt(Lands::mixed, [](KvBwdPlan& plan, int rank) {
              if (rank == 2) plan.schedule.erase(std::ranges::find(plan.schedule, Kind::add, &RingBwdOp::kind));
            }),
            kFar);
}

TEST(KvPassingBwdOnDevices, SumsThatAreAddedBeforeTheyAreHereAreFound) {
  EXPECT_GT(spoilt(Lands::late, [](KvBwdPlan& plan, int) {
              const auto wait = std::ranges::find(plan.schedule, Kind::wait_sums, &RingBwdOp::kind);
              std::iter_swap(wait, std::find_if(wait, plan.schedule.end(), [](const RingBwdOp& op) { return op.kind == Kind::add; }));
            }),
            kFar);
}

TEST(KvPassingBwdOnDevices, SumsThatAreComputedOverThoseUnderWayAreFound) {
  EXPECT_GT(spoilt(Lands::late, [](KvBwdPlan& plan, int) {
              RingBwdOp &sent = nth(plan, Kind::post_sums, 0), &compute = nth(plan, Kind::compute, 2);
              const int wrong = sent.slot_out, right = compute.slot_in;
              for (RingBwdOp& op : plan.schedule)
                if (op.source_out == compute.source_out && (op.kind == Kind::compute || op.kind == Kind::add) && op.slot_in == right) op.slot_in = wrong;
            }),
            kFar);
}

}  // namespace
}  // namespace bench::attention
