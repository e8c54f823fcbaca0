// SPDX-License-Identifier: Apache-2.0
// What becomes of a device's rates, without a device: a timer that says what it is told.
#include "jobs/device_rates.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/sample_times.hpp"

namespace bench::jobs {
namespace {

/// Sample i takes times_s[i] and carries flags[i]; the last one's again when they run out.
class Told final : public Timer {
 public:
  Told(std::vector<double> times_s, std::vector<std::int64_t> flags) : times_s_(std::move(times_s)), flags_(std::move(flags)) {}
  Timed time(std::int64_t calls, const std::function<void()>& run, const std::function<bool()>& gate) override {
    for (std::int64_t i = 0; i < calls; ++i) run();
    gate();
    const std::size_t at = std::min(samples_++, times_s_.size() - 1);
    return {.call_s = times_s_[at], .flags = flags_.empty() ? 0 : flags_[std::min(at, flags_.size() - 1)]};
  }
  std::string_view evict(std::span<const std::span<const std::byte>>) override { return ""; }
  double floor_s() const override { return 0.0; }
  double shortest_sample_s() const override { return 0.0; }

 private:
  std::vector<double> times_s_;
  std::vector<std::int64_t> flags_;
  std::size_t samples_ = 0;
};

void nothing() {}

TEST(MedianRate, IsTheAmountOverTheMedianAndNotOverTheBest) {
  Told timer({1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0, 5.0, 5.0, 5.0}, {});
  EXPECT_DOUBLE_EQ(median_rate(timer, 100.0, nothing), 20.0);
}

TEST(MedianRate, LeavesOutSamplesThatTheValveSpoilt) {
  std::vector<double> times_s(11, 4.0);
  std::vector<std::int64_t> flags(11, 0);
  for (std::size_t i = 0; i < 6; ++i) times_s[i] = 2000.0, flags[i] = analysis::kSpinTimeout;
  Told timer(times_s, flags);
  EXPECT_DOUBLE_EQ(median_rate(timer, 8.0, nothing), 2.0);
  Told never({2000.0}, {analysis::kSpinTimeout});
  EXPECT_EQ(median_rate(never, 8.0, nothing), 0.0) << "not measured, and no figure for it";
}

TEST(WorkingSets, ReachFourTimesBeyondTheCache) {
  EXPECT_EQ(working_sets(0).back(), analysis::kTriadBytes.back()) << "a chip that tells of no L2";
  EXPECT_EQ(working_sets(std::int64_t{50} << 20).back(), analysis::kTriadBytes.back()) << "200 MiB are within";
  EXPECT_EQ(working_sets(std::int64_t{128} << 20).back(), std::int64_t{512} << 20);
  EXPECT_EQ(working_sets(std::int64_t{128} << 20).front(), analysis::kTriadBytes.front());
}

TEST(LimitsOf, PutEachRateWhereItsCasesLookForIt) {
  const std::int64_t large = std::int64_t{512} << 20;
  const std::vector<DeviceRate> rates{{RateKind::copy, large, 1.0, {}}, {RateKind::triad, large, 2.0, {}}, {RateKind::read, large, 3.0, {}},
                                      {RateKind::read, 1 << 20, 4.0, {}}, {RateKind::bf16, 0, 5.0, {}}, {RateKind::fp16, 0, 6.0, {}},
                                      {RateKind::fp32, 0, 7.0, {}}, {RateKind::exp, 0, 8.0, {}}};
  const analysis::Limits limits = limits_of(rates);
  EXPECT_EQ(limits.triad_bytes_per_s.back(), 2.0);
  EXPECT_EQ(limits.read_bytes_per_s.back(), 3.0) << "larger than any of the working sets: memory's";
  EXPECT_EQ(limits.read_bytes_per_s[1], 4.0);
  EXPECT_EQ(limits.bf16_flops_per_s, 5.0);
  EXPECT_EQ(limits.fp16_flops_per_s, 6.0);
  EXPECT_EQ(limits.fp32_flops_per_s, 7.0);
  EXPECT_EQ(limits.exps_per_s, 8.0);
  EXPECT_EQ(limits.fp64_flops_per_s, 0.0) << "not measured";
}

TEST(DeviceRates, HaveNamesAndUnits) {
  EXPECT_EQ(name_of({RateKind::read, 1 << 20, 0.0, {}}), "read, 1 MiB");
  EXPECT_EQ(name_of({RateKind::bf16, 0, 0.0, {}}), "bf16 matrix product");
  EXPECT_STREQ(unit_of(RateKind::copy), "byte/s");
  EXPECT_STREQ(unit_of(RateKind::exp), "1/s");
  EXPECT_STREQ(unit_of(RateKind::fp32), "FLOP/s");
}

}  // namespace
}  // namespace bench::jobs
