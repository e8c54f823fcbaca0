// SPDX-License-Identifier: Apache-2.0
// The selective scan's backward pass cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that
// land at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/selective_bwd_share_device.hpp"

#include <gtest/gtest.h>

#include "kernels/scan/selective_back.hpp"
#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/selective_host.hpp"

namespace bench::scan {
namespace {

using support::HostMachine;
using support::Lands;
using test::sizes;
using test::typed;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
using Fine = LaneShape<4, 4, 1>;  // 32 channels a block, up to 16 states, tiles of 16 steps

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(BackPlan&, SelectiveSurveyJob&, int rank)> spoil = {};
  int calls = 1;
};
Play now;  // what the kernel under test shall do, read only by ranks

struct Played : test::PlayedMessages {
  BackPlan plan;
  SelectiveSurveyJob job;
  std::vector<std::uint32_t> starts;
  std::vector<std::vector<float>> rooms;
  float *db = nullptr, *dc = nullptr;
  int pieces = 1;

  float* room(std::int64_t count) {
    rooms.emplace_back(static_cast<std::size_t>(count), std::numeric_limits<float>::quiet_NaN());
    return rooms.back().data();
  }
};

template <class T>
struct OnHost {
  const Played& played;

  template <class Body, class Job>
  static void walk(const Job& job) {
    test::launch_on_host(Body::blocks(job), Body::kThreads, Body::kSharedBytes, [&] { Body(job).run(); });
  }
  void survey(const SelectiveSurveyJob& job) const { walk<SelectiveSurvey<HostMachine, T, Fine>>(job); }
  void settle(const SelectiveSurveyJob& job) const {
    using Body = SelectiveSettle<HostMachine>;
    test::launch_on_host(Body::blocks(job), Body::kThreads, 0, [&] { Body::run(job); });
  }
  void walk_back(const SelectiveSurveyJob& job) const { walk<SelectiveBack<HostMachine, T, Fine>>(static_cast<const SelectiveBackJob&>(job)); }
  void carry(const CarryJob& job) const { test::carry_on_host<SumDecays>(job); }
  void sum(const OrderedSum& job) const {
    test::launch_on_host(job.blocks(), OrderedSum::kThreads, 0, [&] { job.run<HostMachine>(); });
  }
  void clear(float* from, std::int64_t count) const { std::fill_n(from, count, 0.0F); }
  void sum_share(float* to) const { scan::sum_share(played.job, to, *this); }
  void meanwhile() const {
    sum({played.job.db, played.db, played.job.piece, played.pieces});
    sum({played.job.dc, played.dc, played.job.piece, played.pieces});
  }
};

void set_tensors(SelectiveSurveyJob& job, Tensors& tensors) {
  job.u = tensors["u"].data(), job.delta = tensors["delta"].data(), job.z = tensors["z"].data(), job.dout = tensors["dout"].data();
  job.b = tensors["B"].data(), job.c = tensors["C"].data();
  job.a = tensors["A"].as<float>(), job.skip = tensors["D"].as<float>(), job.bias = tensors["delta_bias"].as<float>();
  job.h0 = tensors["h0"].as<float>(), job.dh_last = tensors["dh_last"].as<float>();
  job.du = tensors["du"].data(), job.ddelta = tensors["ddelta"].data(), job.dz = tensors["dz"].data();
}

void set_rooms(Played& played, const SelectiveProblem& share, bool alone, Tensors& tensors) {
  SelectiveSurveyJob& job = played.job;
  const std::int64_t rows = share.batch * share.channels, mixers = share.batch * share.seq * share.groups * share.state;
  job.marks_a_row = ceil_div(share.seq, static_cast<std::int64_t>(Fine::kMarkSteps));
  played.pieces = static_cast<int>(ceil_div(share.group_channels(), static_cast<std::int64_t>(Fine::kChannels)));
  job.states = played.room(rows * share.state * job.marks_a_row);
  job.mark_sums = played.room(rows * job.marks_a_row);
  job.sums = played.room(rows);
  job.ends = played.room(rows * share.state);
  job.gradients = played.room(rows * share.state);
  job.da = played.room(rows * share.state);
  job.dskip = played.room(rows);
  job.dbias = played.room(rows);
  job.dh0 = alone ? tensors["dh0"].as<float>() : played.room(rows * share.state);
  job.piece = mixers;
  job.db = played.room(played.pieces * mixers);
  job.dc = played.room(played.pieces * mixers);
  played.db = tensors["dB"].as<float>(), played.dc = tensors["dC"].as<float>();
  played.plan.total = played.room(played.plan.sums);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const int rank = context.link->rank();
  auto played = std::make_unique<Played>();
  const SelectiveProblem share = share_of(p, rank);
  SelectiveSurveyJob& job = played->job = SelectiveSurveyJob{SelectiveBackJob{selective_job(share)}};
  played->starts = start_words(share);
  job.starts = played->starts.empty() ? nullptr : played->starts.data();
  BackPlan& plan = played->plan = selective_back_plan(p, rank, now.how);
  set_tensors(job, tensors);
  set_rooms(*played, share, p.ranks == 1, tensors);
  plan.place(played->begin(*context.link, now.lands, plan.memory_bytes()));
  plan.up.a = plan.down.a = job.a;
  plan.up.h0 = job.h0;
  plan.down.h0 = job.dh_last;
  if (now.spoil) now.spoil(plan, job, rank);
  return played;
}

template <class T>
void run(const Problem&, Tensors& tensors, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  for (int call = 0; call < now.calls; ++call) play_back(played.plan, played.job, played.link.get(), nullptr, OnHost<T>{played});
  const float* from = played.plan.total;
  for (const char* name : {"dA", "dD", "ddelta_bias"}) {
    std::copy_n(from, tensors[name].count(), tensors[name].as<float>());
    from += tensors[name].count();
  }
  if (played.memory) std::copy_n(played.plan.down.states(kLast), tensors["dh0"].count(), tensors["dh0"].as<float>());
}

template <class T = float>
double excess(Params changes, int ranks, const Play& play, const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  now = play;
  changes["pass"] = std::string("bwd");
  return test::excess_of("selective", prepare, run<T>, typed<T>(changes), ranks, starts, spoil);
}

TEST(SelectiveBackOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4})  // 151: whole tiles of 16 and broken ones, several a rank
      EXPECT_LE(excess(sizes(2, 151, 66, 4, 2), ranks, {how}), 1.0) << "way " << static_cast<int>(how) << " P " << ranks;
  EXPECT_LE(excess<Bf16>(sizes(1, 100, 40, 13), 3, {Exchange::allgather}), 1.0);
}

TEST(SelectiveBackOverDevices, SlabsEndInsideAGroup) {
  for (const Exchange how : kWays) EXPECT_LE(excess(sizes(1, 40, 150, 3), 2, {how}), 1.0);  // 128 channels and 22
}

TEST(SelectiveBackOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) EXPECT_LE(excess(sizes(2, seq, 5, 3), 4, {how}), 1.0) << "L " << seq;
}

TEST(SelectiveBackOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{20}, {40}, {80}, {79, 81}, {10, 40, 41, 79, 80, 120, 159}};  // shares of 40 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) EXPECT_LE(excess(sizes(1, 160, 6, 4), 4, {how}, starts), 1.0) << starts.front();
}

TEST(SelectiveBackOverDevices, DecaysThatVanishAndNoneAtAllCrossRanks) {
  for (const double a : {0.0, -16.0})
    for (const double delta : {-30.0, 100.0})
      for (const Exchange how : kWays)
        EXPECT_LE(excess(sizes(1, 60, 3, 4), 3, {how}, {},
                         [&](Tensors& in) {
                           fill(in, "A", [&](std::int64_t) { return a; });
                           fill(in, "delta", [&](std::int64_t i) { return i % 3 == 0 ? delta : -3.0; });
                         }),
                  1.0)
            << a << ' ' << delta;
}

TEST(SelectiveBackOverDevices, DoesNotDependOnWhenExchangesLandAndUsesItsMemoryAgain) {
  for (const Exchange how : kWays) {
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess(sizes(2, 67, 40, 4), 4, {how, lands}), 1.0);
    EXPECT_LE(excess(sizes(2, 67, 40, 4), 4, {how, Lands::mixed, {}, 2}), 1.0) << "two calls";
  }
}

constexpr double kFar = 10.0;
/// Hardly any decay, so that what enters one rank's share is seen on all behind it.
void remember_all(Tensors& in) {
  fill(in, "A", [](std::int64_t) { return -1e-3; });
}
double excess_when(Exchange how, std::function<void(BackPlan&, SelectiveSurveyJob&, int rank)> spoil, const std::vector<std::int64_t>& starts = {}) {
  return excess(sizes(2, 80, 40, 4), 4, {how, Lands::mixed, std::move(spoil)}, starts, remember_all);
}
void start_slab_from_first(CarryPlan& plan, int slab) {
  for (CarryOp& op : plan.schedule.ops)
    if (op.kind == CarryOp::Kind::scan && op.slab == slab) op.out = kFirst;
}

TEST(SelectiveBackOverDevices, AShareThatStartsFromTheWrongStateOrGradientIsFound) {
  for (const Exchange how : kWays) {
    EXPECT_GT(excess_when(how, [](BackPlan& plan, SelectiveSurveyJob&, int rank) { if (rank == 2) start_slab_from_first(plan.up, 1); }), kFar);
    EXPECT_GT(excess_when(how, [](BackPlan& plan, SelectiveSurveyJob&, int rank) { if (rank == 0) start_slab_from_first(plan.down, 0); }), kFar);
  }
}

TEST(SelectiveBackOverDevices, AnotherChannelsDecayIsFound) {
  const auto other = [](CarryPlan BackPlan::*which) {
    now = {Exchange::chain, Lands::mixed, [which](BackPlan& plan, SelectiveSurveyJob&, int) { (plan.*which).a_rows = 39; }};
    return excess(sizes(2, 67, 40, 4), 3, now);
  };
  EXPECT_GT(other(&BackPlan::up), kFar);
  EXPECT_GT(other(&BackPlan::down), kFar);
}

TEST(SelectiveBackOverDevices, ASumThatIsLeftOutIsFound) {
  EXPECT_GT(excess_when(Exchange::allgather, [](BackPlan& plan, SelectiveSurveyJob&, int) { plan.sums -= 1; }), kFar);
}

TEST(SelectiveBackOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess_when(Exchange::exscan, [](BackPlan&, SelectiveSurveyJob& job, int rank) { if (rank == 1) job.starts = nullptr; }, {20}), kFar);
}

}  // namespace
}  // namespace bench::scan
