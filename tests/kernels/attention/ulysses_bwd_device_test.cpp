// SPDX-License-Identifier: Apache-2.0
// Ulysses' backward pass as devices play it, on the host: the list of the host's kernel, launches that pack and unpack, flash_bwd_mma's body between them,
// exchanges that land at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/attention/ulysses_bwd_device.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/attention/bwd_device_play.hpp"

namespace bench::attention {
namespace {

using support::Lands;

struct Plan {
  Lands lands = Lands::mixed;
  std::function<void(UlyssesBwdPlan&, int rank)> spoil = {};
  bool alone = false;
  int calls = 1;
};
Plan plan_of_test;

struct Played : test::PlayedBwd {
  using PlayedBwd::PlayedBwd;
  UlyssesBwdPlan plan;
};

struct HostLaunch : test::HostBwdLaunch {
  void move(const RowMove& rows) const { test::move_on_host(rows); }
};

UlyssesBwdPlan plan_for(const AttentionProblem& p, int rank) { return {p, rank, test::BwdBody::kRows, test::BwdBody::kColumns}; }

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  save_forward(p, tensors, context);
  auto played = std::make_unique<Played>(*context.link, plan_of_test.lands);
  UlyssesBwdPlan& plan = played->plan = plan_for(p, context.link->rank());
  if (plan_of_test.spoil) plan_of_test.spoil(plan, context.link->rank());
  plan.positions_data = plan.positions.data();
  plan.slots = played->take(kUlyssesSlots * plan.slot_bytes);
  plan.q = tensors["q"].data(), plan.k = tensors["k"].data(), plan.v = tensors["v"].data(), plan.dout = tensors["dout"].data();
  plan.dq = tensors["dq"].data(), plan.dk = tensors["dk"].data(), plan.dv = tensors["dv"].data();
  plan.own_rows.out = tensors["out"].data();
  plan.own_rows.lse = tensors["lse"].as<float>();
  plan.place(*played, plan_of_test.alone);
  return played;
}

void run(const Problem&, Tensors&, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  for (int call = 0; call < plan_of_test.calls; ++call) play(played.plan, plan_of_test.alone ? nullptr : played.link.get(), nullptr, HostLaunch{});
}

double excess(const DistributedSize& size, bool causal, Layout layout, int ranks, Plan plan = {}) {
  plan_of_test = std::move(plan);
  Kernel kernel = test::played_bwd("attention/ulysses_bwd_cpu");
  kernel.prepare = prepare;
  kernel.run = run;
  AttentionProblem p = distributed_problem(size, DType::bf16, causal, layout, ranks);
  p.pass = "bwd";
  return test::excess_of(kernel, p);
}

TEST(UlyssesBwdOnDevices, EqualsTheOracleOnEveryLayout) {
  for (const int ranks : {1, 2, 3, 4})  // 2 have a group of heads each; 3 and 4 cut groups, whose ranks' parts are added up
    for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
      for (const bool causal : {false, true}) EXPECT_LE(excess({1, 4, 2, 37, 24}, causal, layout, ranks), 1.0) << ranks << ' ' << to_text(layout) << causal;
}

TEST(UlyssesBwdOnDevices, EqualsTheOracleWithRanksOfSeveralPieces) {  // runs of 2 2 1 1 heads in groups of 3: the second has one of each group
  EXPECT_LE(excess({2, 6, 2, 29, 16}, true, Layout::zigzag, 4), 1.0);
}

TEST(UlyssesBwdOnDevices, EqualsTheOracleWithEveryHeadsOwnKeys) { EXPECT_LE(excess({2, 5, 5, 31, 8}, true, Layout::striped, 3), 1.0); }

TEST(UlyssesBwdOnDevices, EqualsTheOracleWithFewRowsAndSeveralTiles) {
  for (const std::int64_t seq : {1, 3, 140})  // empty ranks; three tiles, the last one not full
    EXPECT_LE(excess({1, 3, 1, seq, 8}, true, Layout::zigzag, 3), 1.0) << seq;
}

TEST(UlyssesBwdOnDevices, EqualsTheOracleWheneverExchangesLand) {
  for (const Lands lands : {Lands::early, Lands::late})
    for (const std::int64_t kv_heads : {2, 4}) EXPECT_LE(excess({1, 4, kv_heads, 37, 16}, true, Layout::zigzag, 4, {lands}), 1.0) << kv_heads;
}

TEST(UlyssesBwdOnDevices, NeedsNoLinkOnOneRank) {
  for (const std::int64_t seq : {5, 70}) EXPECT_LE(excess({2, 4, 2, seq, 24}, true, Layout::contiguous, 1, {.alone = true}), 1.0) << seq;
}

TEST(UlyssesBwdOnDevices, LeavesNothingOfACallToTheNext) {  // sums that are not cleared would count twice
  for (const std::int64_t kv_heads : {1, 4}) EXPECT_LE(excess({1, 4, kv_heads, 37, 16}, true, Layout::zigzag, 4, {.calls = 2}), 1.0) << kv_heads;
}

void expect_messages_of_the_hosts_length(const AttentionProblem& p) {
  for (int from = 0; from < 4; ++from) {
    const UlyssesBwdPlan plan = plan_for(p, from);
    const HostLaunch launch;
    const UlyssesBwdOnDevice<HostLaunch> messages(plan, launch);
    for (int to = 0; to < 4; ++to) {
      EXPECT_EQ(messages.bytes(true, from, to), grad_input_bytes<Bf16>(p, rank_heads(p, to), plan.shares.length(from)));
      EXPECT_EQ(messages.bytes(false, from, to), gradient_bytes<Bf16>(p, rank_heads(p, from), plan.shares.length(to)));
      EXPECT_LE(std::max(messages.bytes(true, from, to), messages.bytes(false, from, to)), plan.slot_bytes);
    }
  }
}

TEST(UlyssesBwdOnDevices, SendsWhatTheHostsKernelSends) {
  for (const std::int64_t kv_heads : {1, 2, 4})
    for (const std::int64_t heads : {4, 16})  // with four a rank inputs are the longer messages
      expect_messages_of_the_hosts_length(distributed_problem({2, heads, kv_heads, 37, 24}, DType::bf16, true, Layout::striped, 4));
}

constexpr double kFar = 10.0;

/// Equal shares, so that no mistake changes the length of a message.
double spoilt(Lands lands, std::function<void(UlyssesBwdPlan&, int)> spoil) { return excess({1, 4, 2, 32, 16}, true, Layout::zigzag, 4, {lands, std::move(spoil)}); }

TEST(UlyssesBwdOnDevices, RowsThatGoToAnothersPlaceAreFound) {
  EXPECT_GT(spoilt(Lands::mixed, [](UlyssesBwdPlan& plan, int rank) {
              if (rank == 1) std::swap(plan.positions_at[2], plan.positions_at[3]);
            }),
            kFar);
}

TEST(UlyssesBwdOnDevices, AWaitThatComesAfterItsUnpackingIsFound) {
  for (const auto cargo : {UlyssesOp::Cargo::inputs, UlyssesOp::Cargo::results})
    EXPECT_GT(spoilt(Lands::late, [&](UlyssesBwdPlan& plan, int) {
                const auto wait = std::ranges::find_if(plan.schedule, [&](const UlyssesOp& op) { return op.kind == UlyssesOp::Kind::wait && op.cargo == cargo; });
                std::iter_swap(wait, wait + 1);
              }),
              kFar);
}

TEST(UlyssesBwdOnDevices, AMessageThatIsPackedOverAnotherIsFound) {
  EXPECT_GT(spoilt(Lands::late, [](UlyssesBwdPlan& plan, int) {
              for (UlyssesOp& op : plan.schedule)
                if (op.kind != UlyssesOp::Kind::unpack) op.slot_out = 0;
            }),
            kFar);
}

TEST(UlyssesBwdOnDevices, ComputingBeforeTheLastInputsAreHereIsFound) {
  EXPECT_GT(spoilt(Lands::mixed, [](UlyssesBwdPlan& plan, int rank) {
              const auto attend = std::ranges::find(plan.schedule, UlyssesOp::Kind::attend, &UlyssesOp::kind);
              if (rank == 2) std::rotate(attend - 2, attend, attend + 1);
            }),
            kFar);
}

}  // namespace
}  // namespace bench::attention
