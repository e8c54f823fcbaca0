// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that land at the worst
// moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/ssd_share_device.hpp"

#include <gtest/gtest.h>

#include "kernels/scan/ssd_split_mma.hpp"
#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using support::HostMachine;
using support::Lands;
using test::one_head;
using test::with;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
constexpr int kSteps = 64;
using States = SsdChunkStates<HostMachine, Bf16, kSteps, 64, 64>;
using Passing = SsdPassing<HostMachine, kSteps>;
using Outputs = SsdChunkOutputs<HostMachine, Bf16, kSteps, 64, 64>;

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(CarryPlan&, SsdJob&, int rank)> spoil = {};
};
Play now;  // what the kernel under test shall do, read only by ranks

struct Played : test::PlayedCarries {
  std::vector<std::int32_t> first;
  std::vector<float> states, keep, own_last;
  SsdJob job;
};

struct Passes {
  const Played& on_host;

  void record(int slab, int slot) const {
    const SsdJob job = slab_job(on_host.job, on_host.plan.rows, slab);
    test::launch_on_host(States::blocks(job), States::kThreads, States::kSharedBytes, [&] { States::run(job); });
    if (slot != kNoSlot) carry(on_host.plan.record_of(chunks_of(job, on_host.plan.rows, slab, kSteps), slab, slot));
  }
  void carry(const CarryJob& job) const { test::carry_on_host<ProductDecays>(job); }
  void scan(int slab, const float* start) const {
    const SsdJob job = slab_job(on_host.job, on_host.plan.rows, slab);
    if (job.seq == 0) return;
    test::launch_on_host(Passing::blocks(job), Passing::kThreads, 0, [&] { Passing::run(job, start, job.h_last); });
    test::launch_on_host(Outputs::blocks(job), Outputs::kThreads, Outputs::kSharedBytes, [&] { Outputs::run(job); });
  }
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  const int rank = context.link->rank();
  auto played = std::make_unique<Played>();
  const SsdProblem share = share_of(p, rank);
  played->first = firsts_of(share);
  SsdJob& job = played->job = test::job_over(share, tensors);
  job.first = played->first.empty() ? nullptr : played->first.data();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto chunks = static_cast<std::size_t>(job.chunks(kSteps));
  played->states.assign(chunks * static_cast<std::size_t>(job.all_states()), nan);
  played->keep.assign(chunks * static_cast<std::size_t>(job.all_heads()), nan);
  played->own_last.assign(static_cast<std::size_t>(job.all_states()) + 4, nan);
  job.out = tensors["out"].data();
  job.states = played->states.data();
  job.keep = played->keep.data();
  job.h_last = p.ranks > 1 ? reinterpret_cast<float*>(round_up(reinterpret_cast<std::intptr_t>(played->own_last.data()), 16)) : tensors["h_last"].as<float>();
  played->begin(ssd_carry_plan(p, rank, now.how), *context.link, now.lands, tensors["h0"].as<float>());
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
  return test::excess_of("ssd", prepare, run, with(changes, "dtype", std::string("bf16")), ranks, starts, spoil);
}

const Params kHeads = with(with(one_head(300, 8, 16), "heads", std::int64_t{2}), "groups", std::int64_t{2});  // one a slab

TEST(SsdOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4})  // 300: whole chunks and broken ones, several a rank
      EXPECT_LE(excess(kHeads, ranks, {how}), 1.0) << "way " << static_cast<int>(how) << " P " << ranks;
  const Params three = with(with(one_head(150, 8, 16), "heads", std::int64_t{3}), "batch", std::int64_t{3});
  EXPECT_LE(excess(three, 2, {Exchange::allgather}), 1.0);  // a slab ends inside an entry
}

TEST(SsdOverDevices, OneHeadOfOneEntryHasOneSlab) {
  for (const Exchange how : kWays) EXPECT_LE(excess(one_head(190, 72, 40), 3, {how}), 1.0);
}

TEST(SsdOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) EXPECT_LE(excess(with(kHeads, "seq", seq), 4, {how}), 1.0) << "L " << seq;
}

TEST(SsdOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{40}, {75}, {150}, {149, 151}, {10, 75, 76, 149, 150, 225, 299}};  // shares of 75 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) EXPECT_LE(excess(kHeads, 4, {how}, starts), 1.0) << starts.front();
}

TEST(SsdOverDevices, DecaysThatVanishAndNoneAtAllCrossRanks) {
  for (const Exchange how : kWays)
    for (const auto& decays : {test::make_decays_uneven, test::make_decays_underflow, test::make_decays_none})
      EXPECT_LE(excess(one_head(200, 16, 16), 3, {how}, {}, decays), 1.0);
}

TEST(SsdOverDevices, DoesNotDependOnWhenExchangesLand) {
  for (const Exchange how : kWays)
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess(kHeads, 4, {how, lands}), 1.0);
}

constexpr double kFar = 3.0;  // the start state's part of the first steps is of order 1

TEST(SsdOverDevices, AShareThatStartsFromTheWrongStateIsFound) {
  for (const Exchange how : kWays)
    EXPECT_GT(excess(kHeads, 3, {how, Lands::mixed, [](CarryPlan& plan, SsdJob&, int rank) {
                                   for (CarryOp& op : plan.schedule.ops)
                                     if (rank == 2 && op.kind == CarryOp::Kind::scan && op.slab == 1) op.out = kFirst;
                                 }}),
              kFar);
}

TEST(SsdOverDevices, ASlabOfTheWrongHeadsIsFound) {
  EXPECT_GT(excess(kHeads, 2, {Exchange::allgather, Lands::mixed, [](CarryPlan& plan, SsdJob&, int rank) {
                                 for (CarryOp& op : plan.schedule.ops)
                                   if (rank == 0 && op.kind == CarryOp::Kind::record) op.slab = 0;
                               }}),
            kFar);
}

TEST(SsdOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess(kHeads, 4, {Exchange::allgather, Lands::mixed, [](CarryPlan&, SsdJob& job, int rank) {
                                 if (rank == 1) job.first = nullptr;
                               }},
                   {75}),
            kFar);
}

}  // namespace
}  // namespace bench::scan
