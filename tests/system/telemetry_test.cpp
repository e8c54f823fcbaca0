// SPDX-License-Identifier: Apache-2.0
#include "src/system/telemetry.hpp"

#include <set>

#include "tests/system/kernel_fixture.hpp"

namespace bench::system {
namespace {

class TelemetryOf : public KernelFixture {
 protected:
  Telemetry::Options options(const std::string& nvml) const { return {files(), {0}, nvml, 1}; }
};

TEST_F(TelemetryOf, WhatIsAbsentIsCalledUnavailableAndNeverZero) {
  Telemetry telemetry(options("libno-such-library.so.1"));
  const auto json = to_json(telemetry.read());
  EXPECT_EQ(json.size(), named_values({}).size() + 1) << "every number, and the reasons";
  for (const auto& [name, value] : json.items()) EXPECT_EQ(value, "unavailable") << name;
  EXPECT_EQ(telemetry.description()["nvml"].get<std::string>().find("no NVML library: "), 0U);
}

TEST_F(TelemetryOf, ProcessorAndDeviceComeTogether) {
  write("proc/loadavg", "0.00 0.50 0.10 1/100 4242\n");
  Telemetry telemetry(options(FAKE_NVML));
  const Reading r = telemetry.read();
  EXPECT_EQ(r.load_1m, 0.0);
  EXPECT_EQ(r.gpu_temperature_c, 50.0) << "of device 1";
  const auto json = to_json(r);
  EXPECT_EQ(json["load_1m"], 0.0) << "a load of nothing is a number";
  EXPECT_EQ(json["gpu_power_w"], 123.5);
  EXPECT_TRUE(json["gpu_throttle_reasons"].is_array());
  EXPECT_EQ(telemetry.description().dump(), R"({"cpus":[0],"nvml":"available"})");
}

TEST(NamedValues, EachHasANameOfItsOwnAndItsOwnValue) {
  Reading r;
  double next = 1.0;  // each field a number that no other has
  for (std::optional<double>* field :
       {&r.cpu_mhz, &r.load_1m, &r.cpu_utilisation, &r.own_cpu_fraction, &r.steal_fraction, &r.period_s,
        &r.memory_available_bytes, &r.temperature_c, &r.gpu_sm_mhz, &r.gpu_mem_mhz, &r.gpu_power_w,
        &r.gpu_temperature_c, &r.gpu_utilisation, &r.gpu_memory_used_bytes})
    *field = next++;
  std::set<std::string> names;
  std::set<double> values;
  for (const auto& [name, value] : named_values(r)) {
    names.insert(name);
    values.insert(value.value());
  }
  EXPECT_EQ(names.size(), 14U);
  EXPECT_EQ(values.size(), 14U);
}

}  // namespace
}  // namespace bench::system
