// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/clock_sync.hpp"

#include <gtest/gtest.h>

#include <array>
#include <mutex>

#include "jobs/timing/preflight.hpp"
#include "tests/jobs/synthetic_rig.hpp"

namespace bench::jobs {
namespace {

TEST(ClockSync, TakesTheExchangeWithTheShortestRoundTrip) {
  // Worked by hand: of three exchanges the last has the shortest round trip, 178 us.
  const std::array<Exchange, 3> exchanges{{{10.0, 5.0001, 10.00023}, {11.0, 6.000088, 11.00018}, {13.0, 8.000086, 13.000178}}};
  const ClockOffset offset = offset_of(exchanges);
  EXPECT_NEAR(offset.offset_s, 5.000003, 1e-12);
  EXPECT_NEAR(offset.bound_s, 8.9e-05, 1e-12);
}

TEST(ClockSync, FitsALinearDrift) {
  const std::array<double, 5> t{0, 1, 2, 3, 4}, offsets{10e-6, 13.1e-6, 15.9e-6, 19e-6, 22e-6};
  const ClockLine line = fit_clock(t, offsets);
  EXPECT_NEAR(line.slope, 2.99e-06, 1e-15);
  EXPECT_NEAR(line.intercept_s, 1.002e-05, 1e-15);
  EXPECT_NEAR(line.global(10.0), 9.99996008, 1e-12);
  EXPECT_NEAR(line.local(line.global(10.0)), 10.0, 1e-12);
}

TEST(ClockSync, OneOffsetHasNoDrift) {
  const std::array<double, 1> t{3.0}, offsets{0.5};
  EXPECT_EQ(fit_clock(t, offsets).slope, 0.0);
  EXPECT_EQ(fit_clock(t, offsets).global(7.0), 6.5);
}

TEST(ClockSync, FindsEveryRanksOffsetWithinItsBound) {
  for (const int ranks : {2, 3, 5, 8}) {  // powers of two, and trees with a missing branch
    std::mutex mutex;
    std::vector<double> error(static_cast<std::size_t>(ranks)), bound(error.size());
    comm::run_on_threads(ranks, [&](Link& inner) {
      const double offset = 0.25 * inner.rank();  // far more than any bound
      SyntheticClock clock(25e-9, {.offset_s = offset});
      SyntheticLink link(inner, clock, kLatency_s);
      const ClockOffset found = synchronise(link, clock);
      const std::lock_guard lock(mutex);
      error[static_cast<std::size_t>(inner.rank())] = std::abs(found.offset_s - offset);
      bound[static_cast<std::size_t>(inner.rank())] = found.bound_s;
    });
    EXPECT_EQ(bound[0], 0.0) << "rank 0 is the reference";
    for (std::size_t r = 1; r < error.size(); ++r) {
      EXPECT_LE(error[r], bound[r]) << "rank " << r << " of " << ranks;
      EXPECT_LT(bound[r], 3 * 2 * kLatency_s) << "at most three tree levels of a round trip's half, with the clock's own cost";
    }
  }
}

TEST(Preflight, KnowsWhatItsClockCosts) {
  const TimerFloor floor = measure_timer(SyntheticClock(25e-9));
  EXPECT_NEAR(floor.overhead_s, 25e-9, 1e-15);
  EXPECT_NEAR(floor.resolution_s, 25e-9, 1e-15);
}

TEST(Preflight, TakesTheFewestCallsThatDrownTheClock) {
  const double shortest_s = shortest_sample_s({.resolution_s = 1e-9, .overhead_s = 25e-9});
  EXPECT_DOUBLE_EQ(shortest_s, 25e-6) << "1000 overheads";
  EXPECT_EQ(calls_per_sample(1e-3, shortest_s), 1);
  EXPECT_EQ(calls_per_sample(25e-6, shortest_s), 1);
  EXPECT_EQ(calls_per_sample(24e-6, shortest_s), 2);
  EXPECT_EQ(calls_per_sample(1e-6, shortest_s), 32) << "25 rounded up to a power of two";
  EXPECT_EQ(calls_per_sample(1e-6, shortest_sample_s({.resolution_s = 1e-6, .overhead_s = 0.0})), 128) << "100 resolutions of a coarse clock";
  EXPECT_LE(calls_per_sample(0.0, shortest_s), std::int64_t{1} << 20) << "a call without time must not be repeated for ever";
}

}  // namespace
}  // namespace bench::jobs
