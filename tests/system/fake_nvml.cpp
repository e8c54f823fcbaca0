// SPDX-License-Identifier: Apache-2.0
// A pretended libnvidia-ml, built as a small shared library per variant:
//   FAKE_NVML_VARIANT 0  complete
//                     1  of an old driver: no power entry, the throttle reasons under their former name
//                     2  not NVML at all: nvmlInit_v2 is missing
#include "tests/system/fake_nvml.hpp"

#include <cstring>

extern "C" {

FakeNvmlState fake_nvml_state;

namespace {
int devices[2];  // their addresses are the handles
}

#if FAKE_NVML_VARIANT != 2
int nvmlInit_v2() {
  if (fake_nvml_state.init_code == 0) ++fake_nvml_state.inits;
  return fake_nvml_state.init_code;
}
#endif

int nvmlShutdown() {
  ++fake_nvml_state.shutdowns;
  return 0;
}

const char* nvmlErrorString(int code) {
  return code == 9 ? "Driver Not Loaded" : "other";
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = fake_nvml_state.devices;
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  if (index >= fake_nvml_state.devices) return 2;
  *device = &devices[index];
  return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char* address, void** device) {
  if (std::strcmp(address, "00000000:17:00.0") != 0) return 6;
  *device = &devices[1];
  return 0;
}

int nvmlDeviceGetIndex(void* device, unsigned* index) {
  *index = static_cast<unsigned>(static_cast<int*>(device) - devices);
  return 0;
}

int nvmlDeviceGetClockInfo(void*, unsigned type, unsigned* mhz) {
  *mhz = type == 1 ? 1980 : type == 2 ? 2619 : 0;
  return type == 1 || type == 2 ? 0 : 2;
}

#if FAKE_NVML_VARIANT != 1
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
  *milliwatts = 123500;
  return 0;
}
#endif

int nvmlDeviceGetTemperature(void* device, unsigned sensor, unsigned* celsius) {
  *celsius = device == &devices[0] ? 40 : 50;
  return sensor == 0 ? 0 : 2;
}

int nvmlDeviceGetUtilizationRates(void*, unsigned* percent) {
  percent[0] = 75;
  percent[1] = 10;
  return fake_nvml_state.utilisation_code;
}

int nvmlDeviceGetMemoryInfo(void*, unsigned long long* bytes) {
  bytes[0] = 1000;  // total, free, used
  bytes[1] = 600;
  bytes[2] = 400;
  return 0;
}

#if FAKE_NVML_VARIANT == 1
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
#else
int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* reasons) {
#endif
  *reasons = fake_nvml_state.reasons;
  return 0;
}

}  // extern "C"
