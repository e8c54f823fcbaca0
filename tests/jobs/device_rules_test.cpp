// SPDX-License-Identifier: Apache-2.0
// What the harness does for a device, without one: a timer that tells scripted clocks, in synthetic time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/sample_times.hpp"
#include "jobs/sampler.hpp"
#include "jobs/timing/synthetic.hpp"
#include "src/comm/link_self.hpp"

namespace bench::jobs {
namespace {

constexpr double kCall_s = 1e-3;
constexpr double kUsual_mhz = 1980.0,
                 kLow_mhz = 1500.0;  // far below the 95 % at which a sample counts as throttled
constexpr double kQueueing_s[3] = {2e-6, 90e-6, 3e-6};  // one slow one in three: the median is 3
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

/// Every call takes 1 ms; the clock of sample i is what the script says.
class ScriptedDevice final : public Timer {
 public:
  ScriptedDevice(SyntheticClock clock, std::function<double(std::int64_t sample)> mhz)
      : clock_(std::move(clock)), mhz_(std::move(mhz)) {}
  Timed time(std::int64_t calls, const std::function<void()>& run,
             const std::function<bool()>& gate) override {
    for (std::int64_t call = 0; call < calls; ++call) run();
    gate();
    const double begin = clock_();
    clock_.advance(kCall_s * static_cast<double>(calls));
    const double enqueue_s = kQueueing_s[static_cast<std::size_t>(samples % 3)];
    return {.begin_s = begin, .call_s = kCall_s, .clock_mhz = mhz_(samples++), .enqueue_s = enqueue_s};
  }
  std::string_view evict(std::span<const std::span<const std::byte>>) override { return "scripted"; }
  double floor_s() const override { return 1e-6; }
  double shortest_sample_s() const override { return 50e-6; }
  void rest(double seconds) override {
    clock_.advance(seconds);
    rests_s.push_back(seconds);
    rests_before.push_back(samples);
  }

  std::int64_t samples = 0;
  std::vector<double> rests_s;
  std::vector<std::int64_t> rests_before;  // the number of the sample that came after each

 private:
  SyntheticClock clock_;
  std::function<double(std::int64_t)> mhz_;
};

struct Measured {
  analysis::VisitRecord record;
  std::vector<double> rests_s;
  std::vector<std::int64_t> rests_before;
};

/// Equal samples: they converge at the first look that sees enough valid ones.
Measured measure(const std::function<double(std::int64_t)>& mhz, std::int64_t most = 256) {
  SyntheticClock clock;
  ScriptedDevice device(clock, mhz);
  comm::LinkSelf link;
  analysis::VisitRecord record{.ranks = 1};
  const Protocol protocol{
      .rule = {.min_samples = 32, .max_samples = most, .min_time_s = 0.0, .budget_s = 1e6},
      .call_s = kCall_s,
      .floor_s = device.floor_s()};
  Sampler(link, clock, device, protocol, {.run = [] {}}).measure(record);
  return {std::move(record), device.rests_s, device.rests_before};
}

std::int64_t throttled(const analysis::VisitRecord& record) {
  return std::ranges::count_if(record.flags,
                               [](std::int64_t flags) { return (flags & analysis::kThrottled) != 0; });
}

TEST(DeviceRules, SteadyClocksNeedNoRest) {
  const Measured steady = measure([](std::int64_t) { return kUsual_mhz; });
  EXPECT_EQ(throttled(steady.record), 0);
  EXPECT_TRUE(steady.rests_s.empty());
  EXPECT_EQ(steady.record.stop_reason, "converged");
}

TEST(DeviceRules, QueueingACallCostsTheHostTheMedianOfItsSamples) {
  EXPECT_DOUBLE_EQ(measure([](std::int64_t) { return kUsual_mhz; }).record.enqueue_s, 3e-6);
}

TEST(DeviceRules, ClocksThatNobodyKnowsAreNotLowOnes) {
  const Measured unknown = measure([](std::int64_t) { return kUnknown; });
  EXPECT_EQ(throttled(unknown.record), 0);
  EXPECT_TRUE(unknown.rests_s.empty());
  EXPECT_EQ(unknown.record.stop_reason, "converged");
}

TEST(DeviceRules, AThrottledSampleIsKeptMarkedAndTakenAgainAfterARest) {
  const Measured once = measure([](std::int64_t i) { return i == 7 ? kLow_mhz : kUsual_mhz; });
  EXPECT_EQ(once.record.flags.size(), 33U) << "32 that count, and the one that does not";
  EXPECT_EQ(throttled(once.record), 1);
  EXPECT_EQ(once.record.flags[7] & analysis::kThrottled, analysis::kThrottled);
  EXPECT_EQ(analysis::valid_times(once.record).size(), 32U);
  EXPECT_EQ(once.rests_s, std::vector{0.05});
  EXPECT_EQ(once.rests_before, std::vector<std::int64_t>{32});
  EXPECT_EQ(once.record.stop_reason, "converged");
}

TEST(DeviceRules, RestsGrowWhileTheClockStaysLow) {
  // Four of the first look, and the four that are taken in their place, and the next four: a seventh of what
  // was seen, below the fifth that is accepted as normal only while the look has the 32 others.
  const Measured longer =
      measure([](std::int64_t i) { return i < 4 || (i >= 32 && i < 34) ? kLow_mhz : kUsual_mhz; });
  ASSERT_EQ(longer.rests_s.size(), 2U);
  EXPECT_DOUBLE_EQ(longer.rests_s[0], 0.05);
  EXPECT_DOUBLE_EQ(longer.rests_s[1], 0.075);
  EXPECT_EQ(throttled(longer.record), 6);
  EXPECT_EQ(analysis::valid_times(longer.record).size(), 32U);
}

TEST(DeviceRules, ADeviceThatIsAlwaysLowIsTakenAsItIsAndSaysSo) {
  const Measured low = measure([](std::int64_t i) {
    return i % 3 == 0 ? kLow_mhz : kUsual_mhz;
  });  // a third: above the fifth that is retried
  EXPECT_EQ(low.record.stop_reason, "throttled");
  EXPECT_EQ(low.record.flags.size(), 32U);
  EXPECT_TRUE(low.rests_s.empty()) << "no rest helped a device whose usual clock this is";
}

}  // namespace
}  // namespace bench::jobs
