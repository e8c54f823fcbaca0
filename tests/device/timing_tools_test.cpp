// SPDX-License-Identifier: Apache-2.0
// The tools of timing on a real device. Each is skipped, with the reason, where there is none.
#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "src/device/clock_stamps.hpp"
#include "src/device/event.hpp"
#include "src/device/l2_flush.hpp"
#include "src/device/queue_depth.hpp"
#include "src/device/valve.hpp"
#include "tests/device/busy.hpp"
#include "tests/device/with_device.hpp"

namespace bench::device::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 20ms;  // thousands of times what the kernel behind the valve takes

using ValveOnDevice = WithDevice;
using ClocksOnDevice = WithDevice;
using EventOnDevice = WithDevice;
using CacheOnDevice = WithDevice;
using QueueOnDevice = WithDevice;

/// Before a valve closes, everything behind it must have been loaded.
void load(const Stream& stream, const Mapped<std::uint32_t>& flag) {
  raise_flag(stream, flag);
  stream.wait();
  *flag.host() = 0;
}

TEST_F(ValveOnDevice, HoldsWhatIsBehindItUntilItIsOpened) {
  const Stream stream;
  const Mapped<std::uint32_t> flag(1);
  load(stream, flag);
  Valve valve(stream);
  for (int round = 0; round < 3;
       ++round) {  // once; and again, when the flag of the last round is still there
    *flag.host() = 0;
    valve.close();
    raise_flag(stream, flag);
    std::this_thread::sleep_for(kPause);
    EXPECT_FALSE(stream.idle());
    EXPECT_EQ(*static_cast<volatile std::uint32_t*>(flag.host()), 0U) << "round " << round;
    valve.open();
    stream.wait();
    EXPECT_EQ(*flag.host(), 1U) << "round " << round;
    EXPECT_FALSE(valve.timed_out());
  }
}

TEST_F(ValveOnDevice, GivesUpAtItsLimitAndSaysSo) {
  const Stream stream;
  Valve valve(stream, 0.01);  // as long as it has to be to be told from a launch
  valve.close();
  stream.wait();
  EXPECT_TRUE(valve.timed_out());
  valve.close();
  valve.open();
  stream.wait();
  EXPECT_FALSE(valve.timed_out()) << "it is the last closing that counts";
}

TEST_F(ValveOnDevice, LetsGoWhenItIsDestroyed) {
  const Stream stream;
  { Valve(stream).close(); }
  EXPECT_TRUE(stream.idle());
}

TEST_F(ClocksOnDevice, GiveTheRateOfALongEnoughStretch) {
  const Stream stream;
  ClockStamps stamps(stream);
  const std::uint64_t long_ns = 20 * kStepsToTrust * global_timer_step_ns(stream);
  stamps.begin();
  be_busy(stream, long_ns);
  stamps.end();
  stream.wait();
  const double limit_mhz = properties(current()).sm_clock_mhz;
  EXPECT_GT(stamps.mhz(), 0.0);
  EXPECT_FALSE(stamps.mhz() > 1.05 * limit_mhz)
      << "2 % of reading, 3 % of a clock that was raised; a limit that is not known passes";
}

TEST_F(EventOnDevice, AgreesWithAKernelOfKnownDuration) {
  const Stream stream;
  Event begin, end;
  be_busy(stream, 1);  // loads it
  for (const std::uint64_t known_ns :
       {2'000'000U, 10'000'000U}) {  // both far above the events' 0.5 us and a launch
    begin.record(stream);
    be_busy(stream, known_ns);
    end.record(stream);
    end.wait();
    EXPECT_NEAR(seconds_between(begin, end), 1e-9 * static_cast<double>(known_ns),
                0.05e-9 * static_cast<double>(known_ns));
  }
}

/// Median of some reads of `data`, each after `before`.
template <class Before>
double read_time_s(const Stream& stream, const DeviceBuffer& data, Before&& before) {
  Event begin, end;
  std::vector<double> times_s;
  for (int i = 0; i < 21; ++i) {  // odd, and enough for one of the middle to be undisturbed
    before();
    begin.record(stream);
    read_all(stream, data);
    end.record(stream);
    end.wait();
    times_s.push_back(seconds_between(begin, end));
  }
  std::ranges::nth_element(times_s, times_s.begin() + 10);
  return times_s[10];
}

TEST_F(CacheOnDevice, ForgetsSoThatReadingTakesLonger) {
  const Stream stream;
  const std::int64_t l2 = properties(current()).l2_bytes;
  if (l2 == 0) GTEST_SKIP() << "the driver tells of no L2 cache";
  const DeviceBuffer data(l2 / 4);  // fits with room to spare, and long enough that a read is not all launch
  L2Flush cache;
  read_all(stream, data);
  const double warm_s = read_time_s(stream, data, [] {});
  const double cold_s = read_time_s(stream, data, [&] { cache.flush(stream); });
  EXPECT_GT(cold_s, 1.1 * warm_s)
      << "memory is several times slower than L2; a tenth is far above the noise of a median";
}

TEST_F(QueueOnDevice, TakesEnoughForASample) {
  const Stream stream;
  EXPECT_GE(probe_queue_depth(stream), 64) << "the timer's own entries and a few calls; 1024 is usual";
  EXPECT_LE(probe_queue_depth(stream), kMostLaunches);
}

}  // namespace
}  // namespace bench::device::test
