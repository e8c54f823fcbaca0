// SPDX-License-Identifier: Apache-2.0
#include "jobs/power_cap.hpp"

#include <gtest/gtest.h>

#include "analysis/sample_times.hpp"

namespace bench::jobs {
namespace {

using analysis::kLate, analysis::kPowerCap, analysis::valid_times, analysis::VisitRecord;

TEST(PowerCap, SamplesOfADeviceThatItsPowerLimitHoldsBackAreMarkedAndCount) {
  VisitRecord visit;
  visit.rank_time_s = {1, 2};
  visit.flags = {0, kLate};
  mark_power_cap(visit);
  EXPECT_EQ(visit.flags, (std::vector<std::int64_t>{0, kLate})) << "a device that does not tell";
  visit.after["gpu_throttle_reasons"] = 0x1 | 0x20;  // idle, and warm: not its power
  mark_power_cap(visit);
  EXPECT_EQ(visit.flags, (std::vector<std::int64_t>{0, kLate}));
  visit.after["gpu_throttle_reasons"] = 0x4;
  mark_power_cap(visit);
  EXPECT_EQ(visit.flags, (std::vector<std::int64_t>{kPowerCap, kLate | kPowerCap}));
  EXPECT_EQ(valid_times(visit), std::vector<double>{1});
}

}  // namespace
}  // namespace bench::jobs
