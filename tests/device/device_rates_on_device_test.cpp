// SPDX-License-Identifier: Apache-2.0
// What a device can do, where there is one.
#include <vector>

#include "jobs/device_rates.hpp"
#include "tests/device/with_device.hpp"

namespace bench::jobs {
namespace {

using RatesOnDevice = device::test::WithDevice;

TEST(DeviceMeter, WithoutADeviceIsUnavailableAndSaysWhyThereIsNone) {
  const device::Devices devices = device::probe();
  if (devices.count > 0) GTEST_SKIP() << "there is a device";
  const DeviceMeter* meter = Registry<DeviceMeter>::instance().find("cuda");
  ASSERT_NE(meter, nullptr);
  EXPECT_EQ(meter->report(false).reason, devices.reason);
  EXPECT_THROW(meter->rates(steady_clock(), 0), Error);
}

TEST_F(RatesOnDevice, AreMeasuredOfKernelsWhoseResultsAreRight) {
  const std::vector<DeviceRate> rates = Registry<DeviceMeter>::instance().find("cuda")->rates(steady_clock(), 0);
  const std::int64_t l2 = device::properties(device::current()).l2_bytes;
  for (const DeviceRate& rate : rates) {
    const bool is_product = rate.kind == RateKind::bf16 || rate.kind == RateKind::fp16 || rate.kind == RateKind::fp32;
    if (is_product) EXPECT_FALSE(rate.note.empty()) << name_of(rate) << " does not say what did it";
    else EXPECT_GT(rate.per_s, 0.0) << name_of(rate) << ": " << rate.note;
  }
  const analysis::Limits limits = limits_of(rates);
  EXPECT_GT(limits.exps_per_s, 0.0);
  EXPECT_GT(limits.read_bytes_per_s.back(), 0.0);
  EXPECT_GT(limits.triad_bytes_per_s.back(), 0.0);
  if (l2 < 4 << 20) GTEST_SKIP() << "an L2 too small to tell from memory";
  // 1 MiB lies in L2, the largest set does not: no device reads its memory faster than its cache.
  EXPECT_GT(limits.read_bytes_per_s[1], limits.read_bytes_per_s.back());
}

}  // namespace
}  // namespace bench::jobs
