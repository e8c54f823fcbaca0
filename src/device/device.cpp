// SPDX-License-Identifier: Apache-2.0
#include "src/device/device.hpp"

#include <cuda_runtime_api.h>

#include <array>
#include <limits>

#include "src/core/error.hpp"
#include "src/device/check.hpp"

namespace bench::device {
namespace {

int attribute(cudaDeviceAttr which, int index) {
  int value = 0;
  BS_CUDA(cudaDeviceGetAttribute(&value, which, index));
  return value;
}

/// Attributes give kHz, and 0 where the driver does not say.
double mhz(int khz) {
  return khz > 0 ? 1e-3 * static_cast<double>(khz) : std::numeric_limits<double>::quiet_NaN();
}

std::string version_text(int version) {
  return concat(version / 1000, '.', version % 1000 / 10);
}

}  // namespace

Devices probe() {
  Devices devices;
  const cudaError_t code = cudaGetDeviceCount(&devices.count);
  if (forgive(static_cast<int>(code))) {
    if (devices.count == 0) devices.reason = "the CUDA driver shows no device";
    return devices;
  }
  devices.count = 0;
  int driver = 0;  // stays 0 where none is installed, which CUDA's words for it ("driver version is
                   // insufficient") do not tell from an old one
  if (code == cudaErrorInsufficientDriver && forgive(static_cast<int>(cudaDriverGetVersion(&driver))) &&
      driver == 0)
    devices.reason = concat("no CUDA device: no driver is installed (", cudaGetErrorName(code), ")");
  else
    devices.reason = concat("no CUDA device: ", cudaGetErrorString(code), " (", cudaGetErrorName(code), ")");
  if (code == cudaErrorInsufficientDriver && driver > 0)
    devices.reason += concat("; the driver knows CUDA ", version_text(driver), ", this program needs ",
                             version_text(CUDART_VERSION));
  return devices;
}

Versions versions() {
  int driver = 0;
  static_cast<void>(forgive(static_cast<int>(cudaDriverGetVersion(&driver))));
  return {driver > 0 ? version_text(driver) : std::string(), version_text(CUDART_VERSION)};
}

Properties properties(int index) {
  // The attributes, not the fields of cudaDeviceProp: the clocks left that struct in CUDA 13.
  cudaDeviceProp all{};
  BS_CUDA(cudaGetDeviceProperties(&all, index));
  std::array<char, 32> bus{};
  BS_CUDA(cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), index));
  return {.name = all.name,
          .pci_bus_id = bus.data(),
          .major = all.major,
          .minor = all.minor,
          .sm_count = all.multiProcessorCount,
          .l2_bytes = all.l2CacheSize,
          .memory_bytes = static_cast<std::int64_t>(all.totalGlobalMem),
          .sm_clock_mhz = mhz(attribute(cudaDevAttrClockRate, index)),
          .memory_clock_mhz = mhz(attribute(cudaDevAttrMemoryClockRate, index)),
          .ecc = all.ECCEnabled != 0};
}

int current() {
  int index = 0;
  BS_CUDA(cudaGetDevice(&index));
  return index;
}

void select(int index) {
  BS_CUDA(cudaSetDevice(index));
}

}  // namespace bench::device
