// SPDX-License-Identifier: Apache-2.0
// The way to a device without one: a pretended library (fake_nvml.cpp) stands for NVIDIA's. The three FAKE_*
// paths come from CMake.
#include "src/system/nvml.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/system/fake_nvml.hpp"

namespace bench::system {
namespace {

// Keeps the library and its state in the process while Nvml opens and closes it.
class Fake {
 public:
  explicit Fake(const char* path) : library_(dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) throw std::runtime_error(dlerror());
    state() = FakeNvmlState{};
  }
  ~Fake() { dlclose(library_); }
  Fake(const Fake&) = delete;
  Fake& operator=(const Fake&) = delete;
  FakeNvmlState& state() { return *static_cast<FakeNvmlState*>(dlsym(library_, "fake_nvml_state")); }

 private:
  void* library_;
};

void expect_nothing(const GpuReading& r) {
  EXPECT_FALSE(r.gpu_sm_mhz || r.gpu_mem_mhz || r.gpu_power_w || r.gpu_temperature_c || r.gpu_utilisation);
  EXPECT_FALSE(r.gpu_memory_used_bytes || r.gpu_throttle_reasons);
}

TEST(Nvml, ReadsEveryFieldInOurUnits) {
  Fake fake(FAKE_NVML);
  const Nvml nvml(FAKE_NVML);
  ASSERT_EQ(nvml.status(), NvmlStatus::available) << nvml.reason();
  EXPECT_EQ(nvml.devices(), 2);
  EXPECT_EQ(nvml.reason(), "");
  const GpuReading r = nvml.read(1);
  EXPECT_EQ(r.gpu_sm_mhz, 1980.0);
  EXPECT_EQ(r.gpu_mem_mhz, 2619.0);
  EXPECT_EQ(r.gpu_power_w, 123.5);
  EXPECT_EQ(r.gpu_temperature_c, 50.0);
  EXPECT_EQ(r.gpu_utilisation, 0.75);
  EXPECT_EQ(r.gpu_memory_used_bytes, 400.0);
  EXPECT_EQ(r.gpu_throttle_reasons, 0U) << "no reason is a fact, not an absence";
  EXPECT_EQ(nvml.read(0).gpu_temperature_c, 40.0) << "the other device";
}

TEST(Nvml, SeesThrottlingComeAndGo) {
  Fake fake(FAKE_NVML);
  const Nvml nvml(FAKE_NVML);
  fake.state().reasons = kSwPowerCap | kHwThermal;
  EXPECT_TRUE(throttled(nvml.read(0).gpu_throttle_reasons.value()));
  fake.state().reasons = 0x1;  // idle: slow because there is nothing to do
  EXPECT_FALSE(throttled(nvml.read(0).gpu_throttle_reasons.value()));
}

TEST(Nvml, FindsADeviceByItsPciAddress) {
  Fake fake(FAKE_NVML);
  const Nvml nvml(FAKE_NVML);
  EXPECT_EQ(nvml.device_at("00000000:17:00.0"), 1);
  EXPECT_FALSE(nvml.device_at("00000000:18:00.0").has_value());
}

TEST(Nvml, AnOldLibraryCostsOnlyTheFieldsItLacks) {
  Fake fake(FAKE_NVML_OLD);
  fake.state().reasons = kHwSlowdown;
  const Nvml nvml(FAKE_NVML_OLD);
  ASSERT_EQ(nvml.status(), NvmlStatus::available) << nvml.reason();
  const GpuReading r = nvml.read(0);
  EXPECT_FALSE(r.gpu_power_w.has_value());
  EXPECT_EQ(r.gpu_sm_mhz, 1980.0);
  EXPECT_EQ(r.gpu_throttle_reasons, kHwSlowdown) << "under its former name";
}

TEST(Nvml, ADeviceThatRefusesAFieldLeavesItAbsent) {
  Fake fake(FAKE_NVML);
  fake.state().utilisation_code = 3;
  const GpuReading r = Nvml(FAKE_NVML).read(0);
  EXPECT_FALSE(r.gpu_utilisation.has_value());
  EXPECT_TRUE(r.gpu_memory_used_bytes.has_value());
}

TEST(Nvml, SaysWhatIsMissing) {
  Fake fake(FAKE_NVML);
  Fake foreign(FAKE_NVML_FOREIGN);
  fake.state().init_code = 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  {
    const Nvml nvml(FAKE_NVML);
    EXPECT_EQ(nvml.status(), NvmlStatus::no_driver);
    EXPECT_NE(nvml.reason().find("Driver Not Loaded"), std::string::npos) << nvml.reason();
    expect_nothing(nvml.read(0));
  }
  EXPECT_EQ(fake.state().shutdowns, 0) << "what did not start is not shut down";
  fake.state().init_code = 0;
  fake.state().devices = 0;
  const Nvml empty(FAKE_NVML);
  EXPECT_EQ(empty.status(), NvmlStatus::no_device);
  expect_nothing(empty.read(0));
  for (const char* path : {"libno-such-library.so.1", FAKE_NVML_FOREIGN}) {
    const Nvml nvml(path);
    EXPECT_EQ(nvml.status(), NvmlStatus::no_library);
    EXPECT_NE(nvml.reason(), "");
    EXPECT_EQ(nvml.devices(), 0);
    EXPECT_FALSE(nvml.device_at("00000000:17:00.0").has_value());
    expect_nothing(nvml.read(0));
  }
}

TEST(Nvml, RefusesADeviceThatIsNotThere) {
  Fake fake(FAKE_NVML);
  const Nvml nvml(FAKE_NVML);
  for (const int device : {-1, 2, 1000}) expect_nothing(nvml.read(device));
}

TEST(Nvml, ShutsDownWhatItStarted) {
  Fake fake(FAKE_NVML);
  { const Nvml nvml(FAKE_NVML); }
  EXPECT_EQ(fake.state().inits, 1);
  EXPECT_EQ(fake.state().shutdowns, 1);
}

TEST(ThrottleReasons, HaveTheNamesOfTheLibrary) {
  EXPECT_EQ(throttle_names(0xFF),
            (std::vector<std::string>{"SwPowerCap", "HwSlowdown", "SwThermal", "HwThermal", "HwPowerBrake"}));
  EXPECT_TRUE(throttle_names(0x1 | 0x2 | 0x10 | 0x100).empty())
      << "idle, application clocks, sync boost, display clock";
  for (const std::uint64_t bit : {0x4, 0x8, 0x20, 0x40, 0x80}) EXPECT_TRUE(throttled(bit));
  EXPECT_FALSE(throttled(0));
}

TEST(NvmlStatusText, IsWords) {
  EXPECT_EQ(to_text(NvmlStatus::available), "available");
  EXPECT_EQ(to_text(NvmlStatus::no_device), "no NVIDIA device");
}

TEST(NvmlHere, IsEitherAvailableOrSaysWhyNot) {
  const Nvml nvml;
  EXPECT_EQ(nvml.status() == NvmlStatus::available, nvml.reason().empty());
  if (nvml.status() != NvmlStatus::available) expect_nothing(nvml.read(0));
}

}  // namespace
}  // namespace bench::system
