// SPDX-License-Identifier: Apache-2.0
// The selective scan cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that land at the
// worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/selective_share_device.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/selective_host.hpp"

namespace bench::scan {
namespace {

using support::HostMachine;
using support::Lands;
using test::sizes;
using test::typed;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
constexpr std::int64_t kChunk = 32;
using Fine = LaneShape<4, 4, 1>;  // 32 channels a block, up to 16 states
template <Walk kWalk>
using Body = SelectiveWalk<HostMachine, float, Fine, kWalk>;

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(CarryPlan&, SelectiveJob&, int rank)> spoil = {};
};
Play now;  // what the kernel under test shall do, read only by ranks

struct Played : test::PlayedCarries {
  std::vector<std::uint32_t> starts;
  std::vector<float> states, sums, own_last;
  SelectiveJob job;
};

struct Passes {
  const Played& on_host;

  template <Walk kWalk>
  static void walk(const SelectiveJob& job) {
    test::launch_on_host(Body<kWalk>::blocks(job), Body<kWalk>::kThreads, Body<kWalk>::kSharedBytes, [&] { Body<kWalk>(job).run(); });
  }
  SelectiveJob job(int slab) const { return slab_job(on_host.job, on_host.plan.rows, slab); }
  void record(int slab, int slot) const {
    if (job(slab).seq > 0) walk<Walk::carry>(job(slab));
    if (slot != kNoSlot) carry(on_host.plan.record_of(chunks_of(job(slab), on_host.plan.rows, slab), slab, slot));
  }
  void carry(const CarryJob& of) const { test::carry_on_host<SumDecays>(of); }
  void scan(int slab, const float* start) const {
    SelectiveJob part = job(slab);
    if (part.seq == 0) return;
    part.h0 = start;
    using Combine = SelectiveCombine<HostMachine>;
    test::launch_on_host(Combine::blocks(part), Combine::kThreads, 0, [&] { Combine::run(part); });
    walk<Walk::output>(part);
  }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const int rank = context.link->rank();
  auto played = std::make_unique<Played>();
  const SelectiveProblem share = share_of(p, rank);
  played->starts = start_words(share);
  SelectiveJob& job = played->job = selective_job(share);
  job.u = tensors["u"].data(), job.delta = tensors["delta"].data(), job.z = tensors["z"].data();
  job.b = tensors["B"].data(), job.c = tensors["C"].data();
  job.a = tensors["A"].as<float>(), job.skip = tensors["D"].as<float>(), job.bias = tensors["delta_bias"].as<float>();
  job.out = tensors["out"].data();
  job.starts = played->starts.empty() ? nullptr : played->starts.data();
  job.chunk = kChunk;
  job.chunks = static_cast<int>(std::max<std::int64_t>(ceil_div(share.seq, kChunk), 1));
  job.last_too = p.ranks > 1 ? 1 : 0;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  played->sums.assign(static_cast<std::size_t>(job.batch * job.chunks * job.channels), nan);
  played->states.assign(played->sums.size() * static_cast<std::size_t>(job.state), nan);
  played->own_last.assign(static_cast<std::size_t>(job.batch * job.channels * job.state), nan);
  job.states = played->states.data();
  job.delta_sums = played->sums.data();
  job.h_last = p.ranks > 1 ? played->own_last.data() : tensors["h_last"].as<float>();
  played->begin(selective_carry_plan(p, rank, now.how), *context.link, now.lands, tensors["h0"].as<float>());
  played->plan.a = job.a;
  if (now.spoil) now.spoil(played->plan, job, rank);
  return played;
}

void run(const Problem&, Tensors& tensors, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  play(played.plan, played.link.get(), nullptr, Passes{played});
  played.give_last(tensors["h_last"]);
}

double excess(const Params& changes, int ranks, const Play& play, const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  now = play;
  return test::excess_of("selective", prepare, run, typed<float>(changes), ranks, starts, spoil);
}

TEST(SelectiveOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4})  // 151: whole chunks of 32 and broken ones, several a rank
      EXPECT_LE(excess(sizes(2, 151, 66, 4, 2), ranks, {how}), 1.0) << "way " << static_cast<int>(how) << " P " << ranks;
}

TEST(SelectiveOverDevices, SlabsEndInsideAGroup) {
  for (const Exchange how : kWays) EXPECT_LE(excess(sizes(1, 70, 150, 3), 2, {how}), 1.0);  // 128 channels and 22
}

TEST(SelectiveOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) EXPECT_LE(excess(sizes(2, seq, 5, 3), 4, {how}), 1.0) << "L " << seq;
}

TEST(SelectiveOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{20}, {40}, {80}, {79, 81}, {10, 40, 41, 79, 80, 120, 159}};  // shares of 40 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) EXPECT_LE(excess(sizes(1, 160, 6, 4), 4, {how}, starts), 1.0) << starts.front();
}

TEST(SelectiveOverDevices, DecaysThatVanishAndNoneAtAllCrossRanks) {
  for (const double a : {0.0, -16.0})
    for (const double delta : {-30.0, 100.0})
      for (const Exchange how : kWays)
        EXPECT_LE(excess(sizes(1, 100, 3, 4), 3, {how}, {},
                         [&](Tensors& in) {
                           fill(in, "A", [&](std::int64_t) { return a; });
                           fill(in, "delta", [&](std::int64_t i) { return i % 3 == 0 ? delta : -3.0; });
                         }),
                  1.0)
            << a << ' ' << delta;
}

TEST(SelectiveOverDevices, DoesNotDependOnWhenExchangesLand) {
  for (const Exchange how : kWays)
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess(sizes(2, 67, 40, 4), 4, {how, lands}), 1.0);
}

constexpr double kFar = 10.0;
/// Hardly any decay, so that what one rank leaves is seen on all higher ones.
void remember_all(Tensors& in) {
  fill(in, "A", [](std::int64_t) { return -1e-3; });
}

TEST(SelectiveOverDevices, AShareThatStartsFromTheWrongStateIsFound) {
  for (const Exchange how : kWays)
    EXPECT_GT(excess(sizes(2, 67, 40, 4), 3, {how, Lands::mixed, [](CarryPlan& plan, SelectiveJob&, int rank) {
                                               for (CarryOp& op : plan.schedule.ops)
                                                 if (rank == 2 && op.kind == CarryOp::Kind::scan && op.slab == 1) op.out = kFirst;
                                             }}, {}, remember_all),
              kFar);
}

TEST(SelectiveOverDevices, AnotherChannelsDecayIsFound) {
  EXPECT_GT(excess(sizes(2, 67, 40, 4), 3, {Exchange::chain, Lands::mixed, [](CarryPlan& plan, SelectiveJob&, int) { plan.a_rows = 39; }}), kFar);
}

TEST(SelectiveOverDevices, AChunkLeftOutOfTheRecordIsFound) {
  EXPECT_GT(excess(sizes(1, 120, 5, 4), 3, {Exchange::allgather, Lands::mixed, [](CarryPlan&, SelectiveJob& job, int rank) {
                                              if (rank == 0) job.chunks = 1;
                                            }}, {}, remember_all),
            kFar);
}

TEST(SelectiveOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess(sizes(1, 160, 6, 4), 4, {Exchange::exscan, Lands::mixed, [](CarryPlan&, SelectiveJob& job, int rank) {
                                              if (rank == 1) job.starts = nullptr;
                                            }}, {40}, remember_all),
            kFar);
}

}  // namespace
}  // namespace bench::scan
