// SPDX-License-Identifier: Apache-2.0
// The recurrence's backward pass cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that land
// at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/recurrence_bwd_share_device.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/recurrence_host_launch.hpp"

namespace bench::scan {
namespace {

using support::Lands;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
constexpr std::int64_t kTilesASpan = 2;

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(RecurrenceBackPlan&, RecurrenceJob&, int rank)> spoil = {};
  int calls = 1;
};
Play now;  // what the kernel under test shall do, read only by ranks

struct OnHost {
  using Machine = support::HostMachine;
  template <class Body, class Job>
  void launch(const Job& job) const {
    test::launch_on_host(Body::blocks(job), Body::kThreads, Body::kSharedBytes, [&] { Body::run(job); });
  }
  void carry(const CarryJob& job) const { test::carry_on_host<ProductDecays>(job); }
};

struct Played : test::PlayedMessages {
  RecurrenceBackPlan plan;
  std::vector<std::uint32_t> bits;
  std::vector<float> maps, states, own_end;
  RecurrenceJob job;
};

template <class Tile>
std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const int rank = context.link->rank();
  auto played = std::make_unique<Played>();
  const RecurrenceProblem share = share_of(p, rank);
  RecurrenceJob& job = played->job = recurrence_job(share);
  if (!share.starts.empty()) played->bits = start_bits(share.starts, share.seq);
  job.starts = played->bits.empty() ? nullptr : played->bits.data();
  job.a = tensors["a"].data(), job.x = tensors["dh"].data(), job.h = tensors["h"].data(), job.h0 = tensors["h0"].data();
  job.y = tensors["db"].data(), job.da = tensors["da"].data();
  job.tiles_a_span = kTilesASpan;
  job.spans = ceil_div(Tile::tiles(job), kTilesASpan) + 1;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  played->maps.assign(static_cast<std::size_t>(2 * job.batch * job.channels * job.spans), nan);
  played->states.assign(played->maps.size() / 2, nan);
  played->own_end.assign(static_cast<std::size_t>(job.batch * job.channels), nan);
  job.maps = played->maps.data();
  job.states = played->states.data();
  job.end = p.ranks > 1 ? played->own_end.data() : tensors["dh0"].as<float>();
  played->plan = recurrence_back_plan(p, rank, now.how);
  played->plan.carries.memory = played->begin(*context.link, now.lands, played->plan.memory_bytes());
  played->plan.carries.h0 = tensors["dh_last"].as<float>();
  if (now.spoil) now.spoil(played->plan, job, rank);
  return played;
}

template <class Tile>
void run(const Problem&, Tensors& tensors, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  for (int call = 0; call < now.calls; ++call) play_back<Tile>(played.plan, played.job, played.link.get(), nullptr, OnHost{});
  if (played.memory) std::memcpy(tensors["dh0"].data(), played.plan.carries.states(kLast), static_cast<std::size_t>(tensors["dh0"].bytes()));
}

template <class Tile>
double excess(Params changes, int ranks, const Play& play, const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  now = play;
  changes["pass"] = std::string("bwd");
  return test::excess_of("recurrence", prepare<Tile>, run<Tile>, changes, ranks, starts, spoil);
}
using test::shape;
using Middle = test::Lines<float, Sweep::backward>;   // tiles of 32 steps and 32 channels
using Pairs = test::Lines<Bf16, Sweep::backward, 2>;  // of 64 channels
using Last = test::Rows<float, Sweep::backward>;      // tiles of 1024 steps of a channel
using Halves = test::Rows<F16, Sweep::backward>;

TEST(RecurrenceBackOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4})  // 331 steps: whole spans of 64 and broken ones, several a rank
      EXPECT_LE(excess<Middle>(shape("middle", 2, 331, 70), ranks, {how}), 1.0) << "way " << static_cast<int>(how) << " P " << ranks;
  EXPECT_LE(excess<Pairs>(shape("middle", 1, 331, 130, "bf16"), 3, {Exchange::allgather}), 1.0);
}

TEST(RecurrenceBackOverDevices, EqualsTheOracleWithTimeLast) {
  for (const Exchange how : kWays) EXPECT_LE(excess<Last>(shape("last", 1, 5003, 3), 2, {how}), 1.0);  // a share is a span and a tile; channels begin anywhere in 16 bytes
  EXPECT_LE(excess<Halves>(shape("last", 2, 517, 3, "fp16"), 4, {Exchange::chain}), 1.0);
}

/// Carries must end with a share's first step, before its decay, wherever in a tile, a warp or 16 bytes it lies.
TEST(RecurrenceBackOverDevices, SharesEndAnywhereInATile) {
  for (const std::int64_t seq : {62, 63, 64, 65, 66, 68, 127, 128, 129}) {  // shares of two ranks: 31 to 65 steps of tiles of 32, warps of 4
    EXPECT_LE(excess<Middle>(shape("middle", 1, seq, 3), 2, {Exchange::allgather}, {}, [](Tensors& in) { fill(in, "a", [](std::int64_t i) { return i % 2 == 0 ? 0.5 : 1.5; }); }), 1.0) << "L " << seq;
    EXPECT_LE(excess<Last>(shape("last", 1, seq, 3), 2, {Exchange::allgather}, {}, [](Tensors& in) { fill(in, "a", [](std::int64_t i) { return i % 2 == 0 ? 0.5 : 1.5; }); }), 1.0) << "L " << seq;
  }
  for (const std::int64_t seq : {2047, 2048, 2049}) EXPECT_LE(excess<Last>(shape("last", 1, seq, 1), 2, {Exchange::chain}), 1.0) << "L " << seq;  // tiles of 1024
}

TEST(RecurrenceBackOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) {
      EXPECT_LE(excess<Middle>(shape("middle", 2, seq, 5), 4, {how}), 1.0) << "L " << seq;
      EXPECT_LE(excess<Last>(shape("last", 1, seq, 2), 4, {how}), 1.0) << "L " << seq;
    }
}

TEST(RecurrenceBackOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{40}, {75}, {150}, {149, 151}, {10, 75, 76, 149, 150, 225, 299}};  // shares of 75 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) {
      EXPECT_LE(excess<Middle>(shape("middle", 1, 300, 5), 4, {how}, starts), 1.0) << starts.front();
      EXPECT_LE(excess<Last>(shape("last", 1, 300, 1), 4, {how}, starts), 1.0) << starts.front();
    }
}

TEST(RecurrenceBackOverDevices, DecaysThatVanishAndNoneAtAllCrossRanks) {
  for (const double a : {0.0, 1e-30, -0.5, 1.0})
    for (const Exchange how : kWays)
      EXPECT_LE(excess<Middle>(shape("middle", 1, 200, 3), 3, {how}, {}, [&](Tensors& in) { fill(in, "a", [&](std::int64_t) { return a; }); }), 1.0) << a;
}

TEST(RecurrenceBackOverDevices, DoesNotDependOnWhenExchangesLandAndUsesItsMemoryAgain) {
  for (const Exchange how : kWays) {
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess<Middle>(shape("middle", 2, 131, 70), 4, {how, lands}), 1.0);
    EXPECT_LE(excess<Middle>(shape("middle", 2, 131, 70), 4, {how, Lands::mixed, {}, 2}), 1.0) << "two calls";
  }
}

constexpr double kFar = 10.0;

/// Decays of one, so that what enters behind one rank's share is seen on all lower ones.
void remember_all(Tensors& in) {
  fill(in, "a", [](std::int64_t) { return 1.0; });
}
double excess_when(Exchange how, std::function<void(RecurrenceBackPlan&, RecurrenceJob&, int rank)> spoil, const std::vector<std::int64_t>& starts = {}) {
  return excess<Middle>(shape("middle", 2, 300, 70), 4, {how, Lands::mixed, std::move(spoil)}, starts, remember_all);
}

TEST(RecurrenceBackOverDevices, AShareThatStartsFromTheWrongGradientIsFound) {
  for (const Exchange how : kWays)
    EXPECT_GT(excess_when(how, [](RecurrenceBackPlan& plan, RecurrenceJob&, int rank) {
                for (CarryOp& op : plan.carries.schedule.ops)
                  if (rank == 0 && op.kind == CarryOp::Kind::scan && op.slab == 1) op.out = kFirst;
              }),
              kFar);
}

TEST(RecurrenceBackOverDevices, RanksInTheStepsOrderAreFound) {
  EXPECT_GT(excess_when(Exchange::chain, [](RecurrenceBackPlan& plan, RecurrenceJob&, int rank) { plan.carries.schedule = carry_schedule(Exchange::chain, 4, rank, 2); }), kFar);
}

TEST(RecurrenceBackOverDevices, ASpanLeftOutOfTheRecordIsFound) {
  EXPECT_GT(excess_when(Exchange::allgather, [](RecurrenceBackPlan&, RecurrenceJob& job, int rank) { job.spans -= rank == 3 ? 1 : 0; }), kFar);
}

TEST(RecurrenceBackOverDevices, AStateThatDoesNotCrossTheEdgeIsFound) {
  EXPECT_GT(excess_when(Exchange::exscan, [](RecurrenceBackPlan& plan, RecurrenceJob&, int) { plan.takes = plan.gives = false; }), kFar);  // every rank has h0
}

TEST(RecurrenceBackOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess_when(Exchange::exscan, [](RecurrenceBackPlan&, RecurrenceJob& job, int rank) {
              if (rank == 1) job.starts = nullptr;
            }, {75}),
            kFar);
}

}  // namespace
}  // namespace bench::scan
