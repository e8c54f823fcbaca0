// SPDX-License-Identifier: Apache-2.0
// The recurrence cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that land at the worst
// moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/recurrence_share_device.hpp"

#include <gtest/gtest.h>

#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/recurrence_host_launch.hpp"

namespace bench::scan {
namespace {

using support::HostMachine;
using support::Lands;
using test::shape;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
constexpr std::int64_t kTilesASpan = 2;

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(CarryPlan&, RecurrenceJob&, int rank)> spoil = {};
};
Play now;  // what the kernel under test shall do, read only by ranks

struct Played : test::PlayedCarries {
  std::vector<std::uint32_t> bits;
  std::vector<float> maps, states, own_last;
  RecurrenceJob job;
};

template <class Tile>
struct Passes {
  const Played& on_host;

  template <class Body>
  static void launch(const RecurrenceJob& job) {
    test::launch_on_host(Body::blocks(job), Body::kThreads, Body::kSharedBytes, [&] { Body::run(job); });
  }
  RecurrenceJob job(int slab) const { return slab_job(on_host.job, on_host.plan.rows, slab); }
  void record(int slab, int slot) const {
    if (job(slab).seq > 0) launch<RecurrenceReduce<HostMachine, Tile>>(job(slab));
    if (slot != kNoSlot) carry(on_host.plan.record_of(spans_of(job(slab), on_host.plan.rows, slab), slab, slot));
  }
  void carry(const CarryJob& of) const { test::carry_on_host<ProductDecays>(of); }
  void scan(int slab, const float* start) const {
    RecurrenceJob part = job(slab);
    if (part.seq == 0) return;
    part.seed = start;
    launch<RecurrenceCarries<HostMachine, float>>(part);
    launch<RecurrenceStream<HostMachine, Tile>>(part);
  }
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
  job.a = tensors["a"].data();
  job.x = tensors["b"].data();
  job.y = tensors["h"].data();
  job.tiles_a_span = kTilesASpan;
  job.spans = ceil_div(Tile::tiles(job), kTilesASpan) + 1;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  played->maps.assign(static_cast<std::size_t>(2 * job.batch * job.channels * job.spans), nan);
  played->states.assign(played->maps.size() / 2, nan);
  played->own_last.assign(static_cast<std::size_t>(job.batch * job.channels), nan);
  job.maps = played->maps.data();
  job.states = played->states.data();
  job.end = p.ranks > 1 ? played->own_last.data() : tensors["h_last"].as<float>();
  played->begin(recurrence_carry_plan(p, rank, now.how), *context.link, now.lands, tensors["h0"].as<float>());
  if (now.spoil) now.spoil(played->plan, job, rank);
  return played;
}

template <class Tile>
void run(const Problem&, Tensors& tensors, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  play(played.plan, played.link.get(), nullptr, Passes<Tile>{played});
  played.give_last(tensors["h_last"]);
}

template <class Tile>
double excess(const Params& changes, int ranks, const Play& play, const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  now = play;
  return test::excess_of("recurrence", prepare<Tile>, run<Tile>, changes, ranks, starts, spoil);
}
using Middle = test::Lines<float, Sweep::forward>;     // tiles of 32 steps and 32 channels
using Pairs = test::Lines<Bf16, Sweep::forward, 2>;    // of 64 channels
using Last = test::Rows<float, Sweep::forward>;        // tiles of 1024 steps of a channel

TEST(RecurrenceOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4}) {  // 331 steps: whole spans of 64 and broken ones, several a rank
      SCOPED_TRACE(concat("way ", static_cast<int>(how), " P ", ranks));
      EXPECT_LE(excess<Middle>(shape("middle", 2, 331, 70), ranks, {how}), 1.0);
    }
  EXPECT_LE(excess<Pairs>(shape("middle", 1, 331, 130, "bf16"), 3, {Exchange::allgather}), 1.0);
}

TEST(RecurrenceOverDevices, EqualsTheOracleWithTimeLast) {
  for (const Exchange how : kWays) EXPECT_LE(excess<Last>(shape("last", 1, 5003, 3), 2, {how}), 1.0);  // a share is a span and a tile; channels begin anywhere in 16 bytes
}

TEST(RecurrenceOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) {
      EXPECT_LE(excess<Middle>(shape("middle", 2, seq, 5), 4, {how}), 1.0) << "L " << seq;
      EXPECT_LE(excess<Last>(shape("last", 1, seq, 2), 4, {how}), 1.0) << "L " << seq;
    }
}

TEST(RecurrenceOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{40}, {75}, {150}, {149, 151}, {10, 75, 76, 149, 150, 225, 299}};  // shares of 75 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) {
      EXPECT_LE(excess<Middle>(shape("middle", 1, 300, 5), 4, {how}, starts), 1.0) << starts.front();
      EXPECT_LE(excess<Last>(shape("last", 1, 300, 1), 4, {how}, starts), 1.0) << starts.front();
    }
}

TEST(RecurrenceOverDevices, DecaysThatVanishAndNoneAtAllCrossRanks) {
  for (const double a : {0.0, 1e-30, -0.5, 1.0})
    for (const Exchange how : kWays)
      EXPECT_LE(excess<Middle>(shape("middle", 1, 200, 3), 3, {how}, {}, [&](Tensors& in) { fill(in, "a", [&](std::int64_t) { return a; }); }), 1.0) << a;
}

TEST(RecurrenceOverDevices, DoesNotDependOnWhenExchangesLand) {
  for (const Exchange how : kWays)
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess<Middle>(shape("middle", 2, 131, 70), 4, {how, lands}), 1.0);
}

constexpr double kFar = 10.0;

/// Decays of one, so that what one rank leaves is seen on all higher ones.
void remember_all(Tensors& in) {
  fill(in, "a", [](std::int64_t) { return 1.0; });
}

TEST(RecurrenceOverDevices, AShareThatStartsFromTheWrongStateIsFound) {
  for (const Exchange how : kWays)
    EXPECT_GT(excess<Middle>(shape("middle", 2, 131, 70), 3, {how, Lands::mixed, [](CarryPlan& plan, RecurrenceJob&, int rank) {
                                                                for (CarryOp& op : plan.schedule.ops)
                                                                  if (rank == 2 && op.kind == CarryOp::Kind::scan && op.slab == 1) op.out = kFirst;
                                                              }}, {}, remember_all),
              kFar);
}

TEST(RecurrenceOverDevices, ASpanLeftOutOfTheRecordIsFound) {
  EXPECT_GT(excess<Middle>(shape("middle", 1, 390, 5), 3, {Exchange::allgather, Lands::mixed, [](CarryPlan&, RecurrenceJob& job, int rank) {
                                                              if (rank == 0) job.spans -= 1;
                                                            }}, {}, remember_all),
            kFar);
}

TEST(RecurrenceOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess<Middle>(shape("middle", 1, 300, 5), 4, {Exchange::exscan, Lands::mixed, [](CarryPlan&, RecurrenceJob& job, int rank) {
                                                              if (rank == 1) job.starts = nullptr;
                                                            }}, {75}, remember_all),
            kFar);
}

}  // namespace
}  // namespace bench::scan
