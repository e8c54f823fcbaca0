// SPDX-License-Identifier: Apache-2.0
// How carries travel between devices: the lists that ranks play, with the body that runs through records on the host's machine and exchanges that land at the
// worst moment, held against the steps in their order and against the hosts' own exchange (carry.hpp). And that mistakes are found.
#include "kernels/scan/carry_schedule.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/scan/recurrence_record.hpp"
#include "tests/kernels/scan/carry_play.hpp"

namespace bench::scan {
namespace {

using support::Lands;
using Kind = CarryOp::Kind;
constexpr Exchange kWays[] = {Exchange::allgather, Exchange::chain, Exchange::exscan};
constexpr int kGroups[] = {1, 2, 3, 4, 5, 8};  // powers of two, one beside, odd ones

constexpr std::int64_t kRows = 5, kEach = 3;
float decay_of(int rank, std::int64_t row) { return 0.25F * static_cast<float>((3 * rank + 2 * row) % 5); }  // 0, .25 .. 1: also one that forgets
float end_of(int rank, std::int64_t i) { return static_cast<float>((7 * rank + 3 * i) % 11) - 5.0F; }
float first_of(std::int64_t i) { return static_cast<float>(i) - 6.5F; }

/// The states before each rank's share, and behind the last one's.
std::vector<std::vector<double>> wanted(int ranks) {
  std::vector<std::vector<double>> all(1);
  for (std::int64_t i = 0; i < kRows * kEach; ++i) all[0].push_back(first_of(i));
  for (int r = 0; r < ranks; ++r) {
    all.push_back(all.back());
    for (std::int64_t i = 0; i < kRows * kEach; ++i) all.back()[static_cast<std::size_t>(i)] = decay_of(r, i / kEach) * all.back()[static_cast<std::size_t>(i)] + end_of(r, i);
  }
  return all;
}

struct Case {
  Exchange how = Exchange::allgather;
  int ranks = 1, slabs = 1;
  Lands lands = Lands::mixed;
  std::function<void(CarrySchedule&, int rank)> spoil = {};
  bool back = false;  // steps run from the last rank to the first
};

/// Plays a case on threads; the farthest that any rank's states lie from what they should be. Infinite when a rank gives up.
double worst_of(const Case& c) {
  const auto want = wanted(c.ranks);
  std::mutex guard;
  double worst = 0.0;
  const auto differ = [&](const float* got, const std::vector<double>& from, std::int64_t begin, std::int64_t count) {
    const std::lock_guard lock(guard);
    for (std::int64_t i = 0; i < count; ++i) {
      const double off = std::abs(got[i] - from[static_cast<std::size_t>(begin + i)]);
      worst = off <= worst ? worst : std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
    }
  };
  const auto rank_of = [&](Link& inner) {
    inner.set_deadline(2.0);
    const int rank = inner.rank();
    support::HostDeviceLink link(inner, c.lands);
    std::vector<std::int64_t> edges{0};
    for (int s = 1; s <= c.slabs; ++s) edges.push_back(kRows * s / c.slabs);
    CarryPlan plan(c.back ? back_schedule(c.how, c.ranks, rank, c.slabs) : carry_schedule(c.how, c.ranks, rank, c.slabs), CarryRows(edges, kEach));
    const int place = c.back ? c.ranks - 1 - rank : rank;  // in the order of the steps
    if (c.spoil) c.spoil(plan.schedule, rank);
    const auto memory = link.message_memory(plan.memory_bytes());
    plan.memory = reinterpret_cast<float*>(memory->data());
    std::vector<float> h0;
    for (std::int64_t i = 0; i < kRows * kEach; ++i) h0.push_back(first_of(i));
    plan.h0 = h0.data();
    struct Passes {
      const CarryPlan& plan;
      int place;
      decltype(differ)& check;
      const std::vector<double>& want;
      void record(int slab, int slot) const {
        if (slot == kNoSlot) return;
        for (std::int64_t r = 0; r < plan.rows.rows(slab); ++r) plan.record(slot)[plan.rows.decays_at(slab) + r] = decay_of(place, plan.rows.first(slab) + r);
        for (std::int64_t i = 0; i < plan.rows.rows(slab) * kEach; ++i) plan.record(slot)[plan.rows.ends_at(slab) + i] = end_of(place, plan.rows.first(slab) * kEach + i);
      }
      void carry(const CarryJob& job) const { test::carry_on_host<ProductDecays>(job); }
      void scan(int slab, const float* start) const { check(start + plan.rows.first(slab) * kEach, want, plan.rows.first(slab) * kEach, plan.rows.rows(slab) * kEach); }
    };
    for (int call = 0; call < 2; ++call) {  // slots are used again
      play(plan, &link, nullptr, Passes{plan, place, differ, want[static_cast<std::size_t>(place)]});
      if (c.ranks > 1) differ(plan.states(kLast), want.back(), 0, kRows * kEach);
    }
  };
  try {
    comm::run_on_threads(c.ranks, rank_of);
  } catch (const Error&) {
    return std::numeric_limits<double>::infinity();
  }
  return worst;
}

TEST(CarrySchedule, EveryRankStartsFromWhatTheLowerOnesLeaveAndAllHaveTheLastState) {
  for (const Exchange how : kWays)
    for (const int ranks : kGroups)
      for (const int slabs : {1, 2, 3})
        for (const Lands lands : {Lands::early, Lands::late, Lands::mixed})
          EXPECT_LE(worst_of({how, ranks, slabs, lands}), 1e-4) << "way " << static_cast<int>(how) << " P " << ranks << " slabs " << slabs;  // numbers of some 10 with 8 roundings
}

TEST(CarrySchedule, BackwardsEveryRankStartsFromWhatTheHigherOnesLeave) {
  for (const Exchange how : kWays)
    for (const int ranks : kGroups)
      for (const Lands lands : {Lands::early, Lands::late, Lands::mixed})
        EXPECT_LE(worst_of({how, ranks, 2, lands, {}, true}), 1e-4) << "way " << static_cast<int>(how) << " P " << ranks;
  EXPECT_GT(worst_of({Exchange::chain, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) { s = carry_schedule(Exchange::chain, 4, rank, 1); }, true}), 0.1) << "the steps' order";
}

TEST(CarrySchedule, TheLastStateTravelsOnlyWhereItIsAskedFor) {
  for (const Exchange how : kWays)
    for (const int ranks : kGroups)
      for (int rank = 0; rank < ranks; ++rank) {
        std::vector<CarryOp> asked = carry_schedule(how, ranks, rank, 2).ops;
        const std::vector<CarryOp> not_asked = carry_schedule(how, ranks, rank, 2, false).ops;
        std::set<int> lanes;
        for (const CarryOp& op : asked)
          if (op.kind == Kind::post && op.slab < 0) lanes.insert(op.lane);
        std::erase_if(asked, [&](const CarryOp& op) { return op.slab < 0 || (op.kind == Kind::follow && op.in == kLast) || (op.kind == Kind::wait && lanes.contains(op.lane)); });
        ASSERT_EQ(asked.size(), not_asked.size()) << "way " << static_cast<int>(how) << " P " << ranks;
        for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_TRUE(asked[i].kind == not_asked[i].kind && asked[i].out == not_asked[i].out && asked[i].in == not_asked[i].in);
      }
}

TEST(CarrySchedule, AnswersLikeTheHostsExchange) {
  for (const Exchange how : kWays)
    for (const int ranks : kGroups)
      comm::run_on_threads(ranks, [&](Link& link) {
        std::array<float, 2 * kRows> record{};  // one state a row here
        std::array<float, kRows> state{};
        for (std::int64_t i = 0; i < kRows; ++i) {
          const auto at = static_cast<std::size_t>(i);
          record[at] = decay_of(link.rank(), i);
          record[at + kRows] = end_of(link.rank(), i * kEach);
          state[at] = first_of(i * kEach);
        }
        std::vector<std::byte> room(static_cast<std::size_t>(exchange_room(how, ranks, sizeof record, sizeof state)));
        start_state(how, link, recurrence_rules<float>(), std::as_writable_bytes(std::span(record)), std::as_writable_bytes(std::span(state)), room);
        for (std::size_t i = 0; i < kRows; ++i) EXPECT_NEAR(state[i], wanted(ranks)[static_cast<std::size_t>(link.rank())][i * kEach], 1e-4);
      });
}

TEST(CarrySchedule, PostsAndWaitsComeInPairsAndTheLastScanHidesTheLastState) {
  for (const Exchange how : kWays)
    for (const int ranks : {2, 5, 8})
      for (int rank = 0; rank < ranks; ++rank) {
        const CarrySchedule s = carry_schedule(how, ranks, rank, 2);
        std::set<int> open, done;
        for (const CarryOp& op : s.ops) {
          EXPECT_TRUE(op.kind != Kind::post || open.insert(op.lane).second);
          EXPECT_TRUE(op.kind != Kind::wait || (open.erase(op.lane) == 1 && done.insert(op.lane).second));
          EXPECT_TRUE(op.kind != Kind::join || (op.in != op.earlier && op.in != op.out));
        }
        EXPECT_TRUE(open.empty());
        EXPECT_EQ(static_cast<int>(done.size()), s.lanes);
        int scans = 0;
        for (const CarryOp& op : s.ops) {
          scans += op.kind == Kind::scan ? 1 : 0;
          EXPECT_FALSE(op.kind == Kind::post && scans == 2) << "a message that nothing hides";
        }
      }
}

TEST(CarrySchedule, MessagesAreAsManyAsTheWayHas) {
  const auto sent = [](Exchange how, int ranks, int rank) {
    int records = 0;
    for (const CarryOp& op : carry_schedule(how, ranks, rank, 1).ops) records += op.kind == Kind::post && op.out != kNoSlot && !op.states ? 1 : 0;
    return records;
  };
  EXPECT_EQ(sent(Exchange::allgather, 8, 3), 7);
  EXPECT_EQ(sent(Exchange::exscan, 8, 0), 3);
  EXPECT_EQ(sent(Exchange::exscan, 8, 7), 0);
  EXPECT_EQ(sent(Exchange::chain, 8, 3), 0) << "states only";
}

CarryOp& nth(CarrySchedule& schedule, Kind kind, int n) {
  for (CarryOp& op : schedule.ops)
    if (op.kind == kind && n-- == 0) return op;
  throw Error(ErrorKind::internal, "no such op");
}
constexpr double kFar = 0.1;  // a mistake is of order 1

TEST(CarrySchedule, AWrongNeighbourIsFound) {
  EXPECT_GT(worst_of({Exchange::allgather, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 1) std::swap(nth(s, Kind::post, 0).from, nth(s, Kind::post, 1).from);
                      }}),
            kFar);
  EXPECT_GT(worst_of({Exchange::exscan, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 1) std::swap(nth(s, Kind::post, 0).to, nth(s, Kind::post, 1).to);
                      }}),
            kFar);
  EXPECT_GT(worst_of({Exchange::chain, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 1) nth(s, Kind::post, 1).to = 3;
                      }}),
            kFar);
}

TEST(CarrySchedule, TheOrderOfCombinationMatters) {
  EXPECT_GT(worst_of({Exchange::exscan, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 3) std::swap(nth(s, Kind::join, 0).out, nth(s, Kind::join, 0).earlier);
                      }}),
            kFar);
  EXPECT_GT(worst_of({Exchange::allgather, 4, 1, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 2) std::swap(nth(s, Kind::post, 0).in, nth(s, Kind::post, 1).in);
                      }}),
            kFar);
}

TEST(CarrySchedule, AWaitLeftOutIsFound) {
  for (const Exchange how : kWays)
    EXPECT_GT(worst_of({how, 4, 1, Lands::late, [](CarrySchedule& s, int rank) {
                          if (rank == 2) std::erase_if(s.ops, [first = true](const CarryOp& op) mutable { return op.kind == Kind::wait && std::exchange(first, false); });
                        }}),
              kFar);
}

TEST(CarrySchedule, AWaitThatComesTooLateIsFound) {
  for (const auto& [how, which] : {std::pair{Exchange::allgather, 2}, {Exchange::chain, 0}, {Exchange::exscan, 1}})  // the last one that the start needs: posts are done in order
    EXPECT_GT(worst_of({how, 4, 1, Lands::late, [which = which](CarrySchedule& s, int rank) {
                          if (rank != 2) return;
                          const CarryOp wait = nth(s, Kind::wait, which);
                          std::erase_if(s.ops, [&](const CarryOp& op) { return op.kind == Kind::wait && op.lane == wait.lane; });
                          s.ops.push_back(wait);
                        }}),
              kFar);
}

TEST(CarrySchedule, AShareLeftOutIsFound) {
  EXPECT_GT(worst_of({Exchange::allgather, 3, 2, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 2) nth(s, Kind::follow, 0).count = 1;
                      }}),
            kFar);
  EXPECT_GT(worst_of({Exchange::exscan, 3, 2, Lands::mixed, [](CarrySchedule& s, int rank) {
                        if (rank == 2) nth(s, Kind::scan, 1).out = kFirst;
                      }}),
            kFar);
}

/// Records of a few runs of steps, by A and sums of d, against the steps one after the other.
TEST(CarryRunOnDevice, SumsOfStepsDecayEachStateByItsOwnA) {
  constexpr std::int64_t kSumRows = 3, kStates = 4, kRecords = 6;
  std::vector<float> a, sums, ends, from;
  for (std::int64_t i = 0; i < kSumRows * kStates; ++i) a.push_back(-0.25F * static_cast<float>(i + 1)), from.push_back(static_cast<float>(i) - 3.0F);
  for (std::int64_t i = 0; i < kRecords * kSumRows; ++i) sums.push_back(i == 7 ? std::numeric_limits<float>::infinity() : 0.125F * static_cast<float>(i % 4));
  for (std::int64_t i = 0; i < kRecords * kSumRows * kStates; ++i) ends.push_back(static_cast<float>(i % 5) - 2.0F);
  std::vector<float> to(a.size(), 0.0F), to_sums(kSumRows, -1.0F);
  CarryJob job;
  job.run.decays = sums.data(), job.run.ends = ends.data();
  job.run.decay_step = kSumRows, job.run.end_step = kSumRows * kStates, job.run.count = kRecords;
  job.from = from.data(), job.to = to.data(), job.to_decays = to_sums.data();
  job.a = a.data(), job.a_rows = kSumRows, job.rows = kSumRows, job.each = kStates;
  test::carry_on_host<SumDecays>(job);
  for (std::int64_t i = 0; i < kSumRows * kStates; ++i) {
    double h = from[static_cast<std::size_t>(i)], sum = 0.0;
    for (std::int64_t k = 0; k < kRecords; ++k) {
      const double d = sums[static_cast<std::size_t>(k * kSumRows + i / kStates)];
      h = (std::isinf(d) ? 0.0 : h * std::exp(a[static_cast<std::size_t>(i)] * d)) + ends[static_cast<std::size_t>(k * kSumRows * kStates + i)];
      sum += d;
    }
    EXPECT_NEAR(to[static_cast<std::size_t>(i)], h, 1e-5);
    EXPECT_EQ(to_sums[static_cast<std::size_t>(i / kStates)], static_cast<float>(sum));
  }
}

TEST(CarryRunOnDevice, NoStepsAreARecordThatChangesNothing) {
  std::array<float, 2> to{-1.0F, -1.0F}, decays{-1.0F, -1.0F};
  CarryJob job;
  job.to = to.data(), job.to_decays = decays.data(), job.rows = 2;
  test::carry_on_host<ProductDecays>(job);
  EXPECT_EQ(to, (std::array<float, 2>{0.0F, 0.0F}));
  EXPECT_EQ(decays, (std::array<float, 2>{1.0F, 1.0F}));
}

}  // namespace
}  // namespace bench::scan
