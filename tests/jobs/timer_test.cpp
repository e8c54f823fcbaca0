// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/timer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "analysis/sample_times.hpp"
#include "jobs/timing/cold_cache.hpp"
#include "jobs/timing/synthetic.hpp"

namespace bench::jobs {
namespace {

constexpr double kTick_s = 25e-9;  // what a reading of a real clock takes
constexpr double kCall_s = 1e-3;
constexpr std::int64_t kCache_bytes = 1 << 20;  // small: what is evicted here is not timed
// Sums of a few ticks and calls around 1 s are good to an ulp of 1 s each; ten thousand of those.
constexpr double kRounding_s = 2e-12;

TEST(Timer, OfTheCpuTakesTheMeanOfItsCalls) {
  for (const std::int64_t calls : {1, 2, 64}) {  // one; the fewest that make a mean; a short kernel's
    SyntheticClock clock;
    const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
    std::int64_t made = 0;
    const Timed timed = timer->time(
        calls,
        [&] {
          clock.advance(kCall_s);
          ++made;
        },
        [] { return false; });
    EXPECT_EQ(made, calls);
    // Between the two readings lie the calls and the tick of the second one. Nothing is subtracted.
    EXPECT_NEAR(timed.call_s, kCall_s + kTick_s / static_cast<double>(calls), kRounding_s);
    EXPECT_EQ(timed.flags, 0);
    EXPECT_TRUE(std::isnan(timed.clock_mhz)) << "the host's timer knows no device clock";
  }
}

TEST(Timer, OfTheCpuBeginsAfterTheGate) {
  constexpr double kWait_s = 0.5;  // far above a call: in the sample it would show
  SyntheticClock clock;
  const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
  int waits = 0;
  double opened_s = 0.0;
  bool ran_before_the_gate = false;
  const Timed timed = timer->time(
      4,
      [&] {
        ran_before_the_gate |= waits == 0;
        clock.advance(kCall_s);
      },
      [&] {
        ++waits;
        clock.advance(kWait_s);
        opened_s = clock.true_s();
        return false;
      });
  EXPECT_EQ(waits, 1) << "one start a sample, however many calls it has";
  EXPECT_FALSE(ran_before_the_gate);
  EXPECT_NEAR(timed.call_s, kCall_s + kTick_s / 4.0, kRounding_s);
  EXPECT_NEAR(timed.begin_s, opened_s + kTick_s, kRounding_s);
}

TEST(Timer, FlagsASampleWhoseStartWasMissed) {
  SyntheticClock clock;
  const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
  const auto work = [&] { clock.advance(kCall_s); };
  EXPECT_EQ(timer->time(1, work, [] { return true; }).flags, analysis::kLate);
  EXPECT_EQ(timer->time(1, work, [] { return false; }).flags, 0) << "and only that one";
}

TEST(Timer, OfTheCpuKnowsWhatAnEmptySampleMeasures) {
  for (const double tick_s : {25e-9, 1e-6}) {  // a counter in the CPU; a clock that takes a system call
    SyntheticClock clock(tick_s);
    const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
    EXPECT_NEAR(timer->floor_s(), tick_s, 1e-3 * tick_s) << "a difference of readings, rounded";
    const Timed empty = timer->time(
        1, [] {}, [] { return false; });
    EXPECT_NEAR(empty.call_s, timer->floor_s(), 1e-3 * tick_s);
  }
}

TEST(Timer, OfTheCpuWantsSamplesThatDwarfItsReadings) {
  SyntheticClock clock;
  const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
  EXPECT_NEAR(timer->shortest_sample_s(), 1000 * kTick_s, kTick_s) << "1000 readings; 100 of its steps are less";
}

TEST(Timer, OfTheCpuQueuesNothingAndHasNothingToWaitFor) {
  SyntheticClock clock;
  const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
  const double before_s = clock.true_s();
  EXPECT_EQ(timer->stream(), nullptr);
  EXPECT_EQ(timer->most_calls(), std::numeric_limits<std::int64_t>::max());
  timer->wait();
  timer->rest(1.0);
  EXPECT_EQ(clock.true_s(), before_s) << "a host that tells of no clock is not paused";
}

TEST(Timer, OfTheCpuEvictsOutsideTheTimeAndSaysHow) {
  SyntheticClock clock;
  const auto timer = make_timer(Backend::cpu, clock, kCache_bytes);
  const std::array<double, 8> data{1, 2, 3, 4, 5, 6, 7, 8};
  const std::array<std::span<const std::byte>, 1> parts{std::as_bytes(std::span(data))};
  const double before_s = clock.true_s();
  EXPECT_EQ(timer->evict(parts), ColdCache::method());
  EXPECT_FALSE(ColdCache::method().empty()) << "empty is the record's word for warm";
  EXPECT_EQ(clock.true_s(), before_s) << "not a reading of the clock";
}

TEST(Timer, OfTorchOnTheHostIsTheHosts) {
  if (Registry<TimerMaker>::instance().find("torch") != nullptr)
    GTEST_SKIP() << "torch has a timer of its own here";
  SyntheticClock clock;
  const auto timer = make_timer(Backend::torch, clock, kCache_bytes);
  EXPECT_NEAR(timer
                  ->time(
                      1, [&] { clock.advance(kCall_s); }, [] { return false; })
                  .call_s,
              kCall_s + kTick_s, kRounding_s);
}

TEST(Timer, OfADeviceThatThisBuildCannotTimeIsUnavailable) {
  for (const Backend device : {Backend::cuda, Backend::nccl}) {
    const std::string name(to_text(device));
    if (Registry<TimerMaker>::instance().find(name) != nullptr) continue;  // cuda, where it is in the build: tests/device
    try {
      make_timer(device, SyntheticClock(), kCache_bytes);
      FAIL() << "the host's clock would time the queueing, not the work";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace bench::jobs
