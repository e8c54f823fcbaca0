// SPDX-License-Identifier: Apache-2.0
#include "src/system/sampler.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "src/core/error.hpp"

namespace bench::system {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

Reading marked(double mark) {
  Reading reading;
  reading.load_1m = mark;
  return reading;
}

TEST(Sampler, IsOffUntilItIsStarted) {
  std::atomic<int> calls = 0;
  Sampler sampler([&] { return marked(++calls); }, 1e-3);
  EXPECT_FALSE(sampler.running());
  EXPECT_TRUE(sampler.stop().empty());
  EXPECT_EQ(calls, 0);
}

TEST(Sampler, KeepsEveryReadingInOrderWithItsTime) {
  std::atomic<int> calls = 0;
  Sampler sampler([&] { return marked(++calls); }, 1e-3);
  const double before = std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count();
  sampler.start();
  EXPECT_TRUE(sampler.running());
  while (calls < 5) std::this_thread::yield();
  const auto readings = sampler.stop();
  const double after = std::chrono::duration<double>(SteadyClock::now().time_since_epoch()).count();
  ASSERT_GE(readings.size(), 5U);
  EXPECT_EQ(readings.size(), static_cast<std::size_t>(calls.load()));
  for (std::size_t i = 0; i < readings.size(); ++i) {
    EXPECT_EQ(readings[i].reading.load_1m, static_cast<double>(i + 1));
    EXPECT_GE(readings[i].time_s, i == 0 ? before : readings[i - 1].time_s);
    EXPECT_LE(readings[i].time_s, after);
  }
}

TEST(Sampler, StopsWithoutWaitingForItsPeriod) {
  std::atomic<int> calls = 0;
  Sampler sampler([&] { return marked(++calls); }, 3600.0);  // would outlast the test by far
  sampler.start();
  while (calls < 1) std::this_thread::yield();
  EXPECT_EQ(sampler.stop().size(), 1U);
}

TEST(Sampler, CanBeStoppedBeforeItsFirstReadingAndByItsDestructor) {
  for (int i = 0; i < 50; ++i) {  // the thread may or may not have come up yet
    Sampler sampler([] { return Reading{}; }, 3600.0);
    sampler.start();
    if (i % 2 == 0) {
      EXPECT_EQ(sampler.stop().size(), 1U);
    }
  }
}

TEST(Sampler, StartsAfreshAfterAStop) {
  Sampler sampler([] { return marked(1.0); }, 3600.0);
  for (int i = 0; i < 2; ++i) {
    sampler.start();
    EXPECT_THROW(sampler.start(), Error) << "it runs already";
    EXPECT_EQ(sampler.stop().size(), 1U);
  }
}

TEST(Sampler, HandsOnWhatReadingThrew) {
  Sampler sampler([]() -> Reading { throw std::runtime_error("sensor fell off"); }, 1e-3);
  sampler.start();
  EXPECT_THROW(sampler.stop(), std::runtime_error);
  EXPECT_FALSE(sampler.running());
}

TEST(Sampler, RefusesAPeriodThatIsNone) {
  EXPECT_THROW(Sampler([] { return Reading{}; }, 0.0), Error);
  EXPECT_THROW(Sampler([] { return Reading{}; }, -1.0), Error);
}

// A ratio of CPU time to wall time, so a slow or busy machine passes too: it stretches the wall.
TEST(Sampler, TakesLessThanAFiftiethOfACore) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer multiplies the cost, which is then not the sampler's";
#endif
  Telemetry telemetry;
  Sampler sampler([&] { return telemetry.read(); });
  const auto start = SteadyClock::now();
  sampler.start();
  std::this_thread::sleep_for(std::chrono::milliseconds(600));  // a dozen periods
  const auto readings = sampler.stop();
  const double wall_s = seconds_since(start);
  EXPECT_GE(readings.size(), 2U);
  RecordProperty("cpu_share_ppm", static_cast<int>(sampler.cpu_time_s() / wall_s * 1e6));
  EXPECT_GT(sampler.cpu_time_s(), 0.0);
  EXPECT_LT(sampler.cpu_time_s() / wall_s, 0.02);
}

}  // namespace
}  // namespace bench::system
