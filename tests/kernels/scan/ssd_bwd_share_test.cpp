// SPDX-License-Identifier: Apache-2.0
// The backward pass of Mamba-2's scan cut over ranks with a device each, played on the host: every rank a thread, its launches on the host's machine, exchanges that
// land at the worst moment; against the fp64 oracle. And that mistakes are found.
#include "kernels/scan/ssd_bwd_share_device.hpp"

#include <gtest/gtest.h>

#include "kernels/scan/ssd_bwd_ends.hpp"
#include "kernels/scan/ssd_bwd_mma.hpp"
#include "kernels/scan/ssd_split_mma.hpp"
#include "tests/kernels/scan/carry_play.hpp"
#include "tests/kernels/scan/ssd_host_launch.hpp"

namespace bench::scan {
namespace {

using support::Lands;
using test::one_head;
using test::with;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};

struct Play {
  Exchange how = Exchange::allgather;
  Lands lands = Lands::mixed;
  std::function<void(BackPlan&, SsdBwdJob&, int rank)> spoil = {};
  int calls = 1;
};
Play now;  // what the kernel under test shall do, read only by ranks

struct Played : test::PlayedMessages {
  BackPlan plan;
  SsdBwdJob job, gradients;
  std::vector<std::int32_t> first;
  struct alignas(16) Sixteen {
    std::byte of[16];
  };
  std::vector<std::vector<Sixteen>> rooms;

  /// NaN to begin with, whole 16 bytes.
  template <class T>
  T* room(std::int64_t count) {
    rooms.emplace_back(static_cast<std::size_t>(count) * sizeof(T) / 16 + 1);
    std::memset(static_cast<void*>(rooms.back().data()), 0xff, rooms.back().size() * 16);
    return reinterpret_cast<T*>(rooms.back().data());
  }
};

struct OnHost {
  using M = support::HostMachine;
  using T = Bf16;
  const SsdBwdJob& job;

  template <class Body, class Run>
  static void launch(const SsdBwdJob& of, int shared_bytes, Run&& run) {
    test::launch_on_host(Body::blocks(of), Body::kThreads, shared_bytes, run);
  }
  template <class Body>
  static void chunks(const SsdJob& part) {
    test::launch_on_host(Body::blocks(part), Body::kThreads, Body::kSharedBytes, [&] { Body::run(part); });
  }
  template <class Body>
  static void passing(const SsdJob& part, const float* from, float* to) {
    test::launch_on_host(Body::blocks(part), Body::kThreads, 0, [&] { Body::run(part, from, to); });
  }
  void states(const SsdJob& part) const { chunks<SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, 64, Towards::end>>(part); }
  void gradients(const SsdJob& part) const { chunks<SsdChunkStates<M, T, kSsdBwdSteps, kSsdBwdElements, 64, Towards::begin>>(part); }
  void gates(const SsdJob& part) const { chunks<SsdChunkOutputs<M, T, kSsdBwdSteps, kSsdBwdElements, 64>>(part); }
  void pass_up(const SsdJob& part, const float* from, float* to) const { passing<SsdPassing<M, kSsdBwdSteps>>(part, from, to); }
  void pass_down(const SsdJob& part, const float* from, float* to) const { passing<SsdPassing<M, kSsdBwdSteps, Towards::begin>>(part, from, to); }
  void carry(const CarryJob& of) const { test::carry_on_host<ProductDecays>(of); }

  void sum_share(float* /*mine*/) const {
    using Main = SsdBwdMma<M, T, 64>;
    using Steps = SsdBwdSteps<M, T>;
    launch<Main>(job, Main::kSharedBytes, [&] { Main(job).run(); });
    launch<Steps>(job, Steps::kSharedBytes, [&] { Steps::run(job); });
    launch<SsdBwdSums<M>>(job, 0, [&] { SsdBwdSums<M>::run(job); });
  }
  void meanwhile() const {
    if (job.shares > 1) launch<SsdBwdMixers<M>>(job, 0, [&] { SsdBwdMixers<M>::run(job); });
  }
  void sum(const OrderedSum& of) const {
    test::launch_on_host(of.blocks(), OrderedSum::kThreads, 0, [&] { of.run<M>(); });
  }
};

void set_tensors(Played& played, const SsdProblem& share, bool alone, Tensors& tensors) {
  SsdBwdJob& job = played.job;
  const SsdBwdScratch size(share);
  job.first = played.first.empty() ? nullptr : played.first.data();
  job.dout = tensors["dout"].data();
  job.dh_last = tensors["dh_last"].as<float>();
  job.out = share.gated ? tensors["dz"].data() : nullptr;
  job.dx = tensors["dx"].data(), job.ddt = tensors["ddt"].data();
  job.db = tensors["dB"].as<float>(), job.dc = tensors["dC"].as<float>();
  job.dh0 = alone ? tensors["dh0"].as<float>() : played.room<float>(job.all_states());
  job.shares = static_cast<int>(size.shares);
  job.h_last = played.room<float>(job.all_states());
  job.states = played.room<float>(size.states);
  job.before = job.states;
  job.keep = played.room<float>(size.keep);
  job.db_shares = size.shares > 1 ? played.room<float>(size.mixers) : job.db;
  job.dc_shares = size.shares > 1 ? played.room<float>(size.mixers) : job.dc;
  job.sums = played.room<SsdStepSums>(size.sums);
  job.span_sums = played.room<SsdStepSums>(size.span_sums);
  float* const after = played.room<float>(size.states);
  job.after = after;
  played.plan.total = played.room<float>(played.plan.sums);
  played.gradients = job;
  played.gradients.states = after;
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  const int rank = context.link->rank();
  auto played = std::make_unique<Played>();
  const SsdProblem share = share_of(p, rank);
  played->first = firsts_of(share);
  played->plan = ssd_back_plan(p, rank, now.how);
  played->job = SsdBwdJob{test::job_over(share, tensors)};
  set_tensors(*played, share, p.ranks == 1, tensors);
  BackPlan& plan = played->plan;
  plan.place(played->begin(*context.link, now.lands, plan.memory_bytes()));
  plan.up.h0 = played->job.h0;
  plan.down.h0 = played->job.dh_last;
  set_plan(plan, played->job);
  if (now.spoil) now.spoil(plan, played->job, rank);
  return played;
}

void run(const Problem&, Tensors& tensors, Context& context) {
  const auto& played = static_cast<const Played&>(*context.prepared);
  for (int call = 0; call < now.calls; ++call) play_back(played.plan, played.job, played.gradients, played.link.get(), nullptr, OnHost{played.job});
  const float* from = played.plan.total;
  for (const char* name : {"dA", "dD", "ddt_bias"}) {
    std::copy_n(from, tensors[name].count(), tensors[name].as<float>());
    from += tensors[name].count();
  }
  if (played.memory) std::copy_n(played.plan.down.states(kLast), tensors["dh0"].count(), tensors["dh0"].as<float>());
}

double excess(const Params& changes, int ranks, const Play& play, const std::vector<std::int64_t>& starts = {}, const Spoil& spoil = nullptr) {
  now = play;
  return test::excess_of("ssd", prepare, run, with(with(changes, "dtype", std::string("bf16")), "pass", std::string("bwd")), ranks, starts, spoil);
}

const Params kHeads = with(with(one_head(230, 8, 16), "heads", std::int64_t{2}), "groups", std::int64_t{2});  // one a slab

TEST(SsdBackOverDevices, EqualsTheOracleWhateverTheWay) {
  for (const Exchange how : kWays)
    for (const int ranks : {1, 2, 3, 4})  // 230: whole chunks of 64 and broken ones, several a rank
      EXPECT_LE(excess(kHeads, ranks, {how}), 1.0) << "way " << static_cast<int>(how) << " P " << ranks;
  const Params three = with(with(one_head(100, 8, 16), "heads", std::int64_t{3}), "batch", std::int64_t{3});
  EXPECT_LE(excess(three, 2, {Exchange::allgather}), 1.0);  // a slab ends inside an entry
}

TEST(SsdBackOverDevices, TakesGatesAndHeadsInShares) {
  EXPECT_LE(excess(with(kHeads, "gated", true), 3, {Exchange::chain}), 1.0);
  EXPECT_LE(excess(with(one_head(70, 8, 8), "heads", std::int64_t{9}), 2, {Exchange::exscan}), 1.0);  // nine a group: two shares
}

TEST(SsdBackOverDevices, OneHeadOfOneEntryHasOneSlab) {
  for (const Exchange how : kWays) EXPECT_LE(excess(one_head(150, 72, 40), 3, {how}), 1.0);
}

TEST(SsdBackOverDevices, LeavesRanksEmptyWhereStepsAreFew) {
  for (const Exchange how : kWays)
    for (const std::int64_t seq : {1, 3, 5}) EXPECT_LE(excess(with(kHeads, "seq", seq), 4, {how}), 1.0) << "L " << seq;
}

TEST(SsdBackOverDevices, PackedSequencesDoNotMeetAcrossRanks) {
  const std::vector<std::int64_t> cuts[] = {{40}, {75}, {150}, {149, 151}, {10, 75, 76, 149, 150, 225, 299}};  // shares of 75 steps: inside, at their edges, in every one
  for (const Exchange how : kWays)
    for (const auto& starts : cuts) EXPECT_LE(excess(with(kHeads, "seq", std::int64_t{300}), 4, {how}, starts), 1.0) << starts.front();
}

TEST(SsdBackOverDevices, DoesNotDependOnWhenExchangesLandAndUsesItsMemoryAgain) {
  for (const Exchange how : kWays) {
    for (const Lands lands : {Lands::early, Lands::late}) EXPECT_LE(excess(kHeads, 4, {how, lands}), 1.0);
    EXPECT_LE(excess(kHeads, 4, {how, Lands::mixed, {}, 2}), 1.0) << "two calls";
  }
}

constexpr double kFar = 10.0;
/// Hardly any decay, so that what enters one rank's share is seen on all behind it.
void remember_all(Tensors& in) {
  fill(in, "A", [](std::int64_t) { return -1e-3; });
}
double excess_when(Exchange how, std::function<void(BackPlan&, SsdBwdJob&, int rank)> spoil, const std::vector<std::int64_t>& starts = {}) {
  return excess(kHeads, 4, {how, Lands::mixed, std::move(spoil)}, starts, remember_all);
}
void start_slab_from_first(CarryPlan& plan, int slab) {
  for (CarryOp& op : plan.schedule.ops)
    if (op.kind == CarryOp::Kind::scan && op.slab == slab) op.out = kFirst;
}

TEST(SsdBackOverDevices, AShareThatStartsFromTheWrongStateOrGradientIsFound) {
  for (const Exchange how : kWays) {
    EXPECT_GT(excess_when(how, [](BackPlan& plan, SsdBwdJob&, int rank) { if (rank == 2) start_slab_from_first(plan.up, 1); }), kFar);
    EXPECT_GT(excess_when(how, [](BackPlan& plan, SsdBwdJob&, int rank) { if (rank == 0) start_slab_from_first(plan.down, 0); }), kFar);
  }
}

TEST(SsdBackOverDevices, GradientsThatGoUpTheRanksAreFound) {
  EXPECT_GT(excess_when(Exchange::chain, [](BackPlan& plan, SsdBwdJob&, int rank) { plan.down.schedule = carry_schedule(Exchange::chain, 4, rank, 2); }), kFar);
}

TEST(SsdBackOverDevices, ASequencesBeginThatAShareForgetsIsFound) {
  EXPECT_GT(excess_when(Exchange::exscan, [](BackPlan&, SsdBwdJob& job, int rank) { if (rank == 1) job.first = nullptr; }, {58}), kFar);
}

}  // namespace
}  // namespace bench::scan
