// SPDX-License-Identifier: Apache-2.0
// Ulysses as devices play it, on the host: the list of the host's kernel, launches that pack and unpack, flash_mma's body between them, exchanges that land
// at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/attention/ulysses_device.hpp"

#include <gtest/gtest.h>

#include "kernels/attention/flash_mma.hpp"
#include "tests/kernels/attention/device_play.hpp"

namespace bench::attention {
namespace {

using support::Lands;

struct Plan {
  Lands lands = Lands::mixed;
  std::function<void(UlyssesPlan&, int rank)> spoil = {};
};
Plan plan_of_test;

struct Played : Prepared {
  std::unique_ptr<support::HostDeviceLink> link;  // goes last
  UlyssesPlan plan;
  std::vector<std::unique_ptr<MessageMemory>> memory;
  std::byte* take(std::int64_t bytes) { return memory.emplace_back(link->message_memory(bytes))->data(); }
};

struct HostLaunch {
  using Attend = FlashMma<support::HostMachine, Bf16, 64, 64, 64>;
  void attend(const DeviceJob& job) const { test::launch_on_host<Attend>(job); }
  void move(const RowMove& rows) const { test::move_on_host(rows); }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  auto played = std::make_unique<Played>();
  context.link->set_deadline(test::kPatience_s);
  played->link = std::make_unique<support::HostDeviceLink>(*context.link, plan_of_test.lands);
  UlyssesPlan& plan = played->plan = UlyssesPlan(problem_as<AttentionProblem>(problem), context.link->rank());
  if (plan_of_test.spoil) plan_of_test.spoil(plan, context.link->rank());
  plan.positions_data = plan.positions.data();
  plan.slots = played->take(kUlyssesSlots * plan.slot_bytes);
  plan.q = tensors["q"].data(), plan.k = tensors["k"].data(), plan.v = tensors["v"].data(), plan.out = tensors["out"].data(), plan.lse = tensors["lse"].data();
  for (DevicePiece& piece : plan.pieces) {
    piece.job.q = played->take(plan.query_bytes(piece));
    piece.job.k = played->take(plan.key_bytes(piece));
    piece.job.v = played->take(plan.key_bytes(piece));
    piece.job.out = played->take(plan.query_bytes(piece));
    piece.job.lse = reinterpret_cast<float*>(played->take(plan.lse_bytes(piece)));
  }
  return played;
}

void run(const Problem&, Tensors&, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  play(played.plan, *played.link, nullptr, HostLaunch{});
}

double excess(const DistributedSize& size, bool causal, Layout layout, int ranks, Plan plan = {}) {
  plan_of_test = std::move(plan);
  Kernel kernel = distributed("ulysses_cpu");
  kernel.workspace_bytes = nullptr;
  kernel.prepare = prepare;
  kernel.run = run;
  return test::excess_of(kernel, distributed_problem(size, DType::bf16, causal, layout, ranks));
}

TEST(UlyssesOnDevices, EqualsTheOracleOnEveryLayout) {
  for (const int ranks : {1, 2, 3, 4})
    for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
      EXPECT_LE(excess({1, 4, 2, 37, 24}, ranks % 2 == 0, layout, ranks), 1.0) << ranks << ' ' << to_text(layout);  // 3 ranks cut a group of heads
}

TEST(UlyssesOnDevices, EqualsTheOracleWithBatchesAndFewRows) {
  for (const std::int64_t seq : {1, 3, 70}) EXPECT_LE(excess({2, 3, 1, seq, 8}, true, Layout::zigzag, 3), 1.0) << seq;  // empty ranks; two tiles of rows
}

TEST(UlyssesOnDevices, EqualsTheOracleWithRanksOfSeveralPieces) {  // runs of 2 2 1 1 heads in groups of 3: the second has one of each group
  EXPECT_LE(excess({2, 6, 2, 29, 16}, true, Layout::zigzag, 4), 1.0);
}

TEST(UlyssesOnDevices, SendsWhatTheHostsKernelSends) {
  const auto p = distributed_problem({2, 4, 2, 37, 24}, DType::bf16, true, Layout::striped, 3);
  for (int from = 0; from < 3; ++from) {
    const UlyssesPlan plan(p, from);
    const HostLaunch launch;
    const UlyssesOnDevice<HostLaunch> messages(plan, launch);
    for (int to = 0; to < 3; ++to) {
      EXPECT_EQ(messages.bytes(true, from, to), input_bytes<Bf16>(p, rank_heads(p, to), plan.shares.length(from)));
      EXPECT_LE(messages.bytes(false, from, to), plan.slot_bytes);
    }
  }
}

constexpr double kFar = 10.0;

TEST(UlyssesOnDevices, RowsThatGoToAnothersPlaceAreFound) {
  EXPECT_GT(excess({1, 4, 2, 32, 16}, true, Layout::zigzag, 4, {Lands::mixed, [](UlyssesPlan& plan, int rank) {
                                                                   if (rank == 1) std::swap(plan.positions_at[2], plan.positions_at[3]);
                                                                 }}),
            kFar);
}

TEST(UlyssesOnDevices, AWaitThatComesAfterItsUnpackingIsFound) {
  EXPECT_GT(excess({1, 4, 2, 32, 16}, true, Layout::zigzag, 4, {Lands::late, [](UlyssesPlan& plan, int) {
                                                                   const auto wait = std::ranges::find(plan.schedule, UlyssesOp::Kind::wait, &UlyssesOp::kind);
                                                                   std::iter_swap(wait, wait + 1);
                                                                 }}),
            kFar);
}

TEST(UlyssesOnDevices, AMessageThatIsPackedOverAnotherIsFound) {
  EXPECT_GT(excess({1, 4, 2, 32, 16}, true, Layout::zigzag, 4, {Lands::late, [](UlyssesPlan& plan, int) {
                                                                   for (UlyssesOp& op : plan.schedule)
                                                                     if (op.kind != UlyssesOp::Kind::unpack) op.slot_out = 0;
                                                                 }}),
            kFar);
}

}  // namespace
}  // namespace bench::attention
