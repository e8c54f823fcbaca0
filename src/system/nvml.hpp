// SPDX-License-Identifier: Apache-2.0
// NVIDIA's management library, opened at run time: the program neither links nor needs it. Names, numbers and
// units are those of NVIDIA's public nvml.h (NVML API reference, 12.x); they are part of the library's
// binary interface and do not change.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench::system {

enum class NvmlStatus : std::uint8_t { available, no_library, no_driver, no_device };
/// "available", or what is missing, in words.
std::string_view to_text(NvmlStatus status);

/// nvmlClocksEventReasons that slow a device down; the other bits (idle, application clocks, ...) do not.
inline constexpr std::uint64_t kSwPowerCap = 0x4;
inline constexpr std::uint64_t kHwSlowdown = 0x8;
inline constexpr std::uint64_t kSwThermal = 0x20;
inline constexpr std::uint64_t kHwThermal = 0x40;
inline constexpr std::uint64_t kHwPowerBrake = 0x80;

/// True when any of the five bits above is set: a sample taken then is not the device at its full speed.
bool throttled(std::uint64_t reasons);
/// Names of those of the five that are set, "SwPowerCap" first; empty when none is.
std::vector<std::string> throttle_names(std::uint64_t reasons);

/// One look at one device. Absent: there is no device, or the device or driver does not tell.
struct GpuReading {
  std::optional<double> gpu_sm_mhz;
  std::optional<double> gpu_mem_mhz;
  std::optional<double> gpu_power_w;
  std::optional<double> gpu_temperature_c;
  std::optional<double> gpu_utilisation;        // 0..1: of the driver's last period, kernels running
  std::optional<double> gpu_memory_used_bytes;  // by all processes, the driver's own reserve included
  std::optional<std::uint64_t> gpu_throttle_reasons;
};

/// The library, initialised as long as this lives. Never throws for what is missing: status() says it.
class Nvml {
 public:
  /// `library`: what dlopen is given; another one only in tests.
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  NvmlStatus status() const { return status_; }
  /// Why it is not available, with the loader's or the driver's own words or code; empty when available.
  const std::string& reason() const { return reason_; }
  int devices() const { return devices_; }
  /// The device at a PCI address such as "00000000:17:00.0" (a CUDA device's number is not NVML's: the former
  /// obeys CUDA_VISIBLE_DEVICES); nullopt when there is none.
  std::optional<int> device_at(const std::string& pci_bus_id) const;
  /// All fields of device 0 <= `device` < devices(); empty fields for any other number. Safe from any thread.
  GpuReading read(int device) const;

 private:
  struct Symbols;
  void start();

  std::unique_ptr<const Symbols> symbols_;
  bool initialised_ = false;
  NvmlStatus status_ = NvmlStatus::no_library;
  std::string reason_;
  int devices_ = 0;
};

}  // namespace bench::system
