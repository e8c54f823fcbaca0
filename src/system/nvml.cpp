// SPDX-License-Identifier: Apache-2.0
#include "src/system/nvml.hpp"

#include <dlfcn.h>

#include <array>
#include <initializer_list>

namespace bench::system {
namespace {

// From nvml.h: nvmlReturn_t, nvmlClockType_t, nvmlTemperatureSensors_t and the structs below.
using Return = int;
using Device = void*;
constexpr Return kSuccess = 0;      // NVML_SUCCESS
constexpr unsigned kClockSm = 1;    // NVML_CLOCK_SM
constexpr unsigned kClockMem = 2;   // NVML_CLOCK_MEM
constexpr unsigned kSensorGpu = 0;  // NVML_TEMPERATURE_GPU
struct Utilisation {                // nvmlUtilization_t, percent
  unsigned gpu = 0, memory = 0;
};
struct Memory {  // nvmlMemory_t, bytes
  unsigned long long total = 0, free = 0, used = 0;
};

struct CloseLibrary {
  void operator()(void* handle) const { dlclose(handle); }
};

template <class Function>
Function* symbol(void* library, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (void* address = dlsym(library, name)) return reinterpret_cast<Function*>(address);
  return nullptr;
}

struct ReasonName {
  std::uint64_t bit;
  const char* name;
};
constexpr std::array<ReasonName, 5> kReasonNames{{{kSwPowerCap, "SwPowerCap"},
                                                  {kHwSlowdown, "HwSlowdown"},
                                                  {kSwThermal, "SwThermal"},
                                                  {kHwThermal, "HwThermal"},
                                                  {kHwPowerBrake, "HwPowerBrake"}}};

}  // namespace

std::string_view to_text(NvmlStatus status) {
  switch (status) {
    case NvmlStatus::available:
      return "available";
    case NvmlStatus::no_library:
      return "no NVML library";
    case NvmlStatus::no_driver:
      return "no NVIDIA driver";
    case NvmlStatus::no_device:
      return "no NVIDIA device";
  }
  return "unknown";
}

bool throttled(std::uint64_t reasons) {
  constexpr auto kSlowing = kSwPowerCap | kHwSlowdown | kSwThermal | kHwThermal | kHwPowerBrake;
  return (reasons & kSlowing) != 0;
}

std::vector<std::string> throttle_names(std::uint64_t reasons) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : kReasonNames)
    if ((reasons & bit) != 0) names.emplace_back(name);
  return names;
}

// Resolved once. The first four are needed for anything at all; each of the others stands for one field, and
// an old library that lacks it only costs that field.
struct Nvml::Symbols {
  std::unique_ptr<void, CloseLibrary> library;
  Return (*init)() = nullptr;
  Return (*shutdown)() = nullptr;
  Return (*count)(unsigned*) = nullptr;
  Return (*handle)(unsigned, Device*) = nullptr;
  const char* (*error_text)(Return) = nullptr;
  Return (*handle_at)(const char*, Device*) = nullptr;
  Return (*index)(Device, unsigned*) = nullptr;
  Return (*clock)(Device, unsigned, unsigned*) = nullptr;
  Return (*power)(Device, unsigned*) = nullptr;  // milliwatts
  Return (*temperature)(Device, unsigned, unsigned*) = nullptr;
  Return (*utilisation)(Device, Utilisation*) = nullptr;
  Return (*memory)(Device, Memory*) = nullptr;
  Return (*reasons)(Device, unsigned long long*) = nullptr;

  explicit Symbols(void* opened) : library(opened) {
    if (opened == nullptr) return;
    init = symbol<Return()>(opened, {"nvmlInit_v2"});
    shutdown = symbol<Return()>(opened, {"nvmlShutdown"});
    count = symbol<Return(unsigned*)>(opened, {"nvmlDeviceGetCount_v2"});
    handle = symbol<Return(unsigned, Device*)>(opened, {"nvmlDeviceGetHandleByIndex_v2"});
    error_text = symbol<const char*(Return)>(opened, {"nvmlErrorString"});
    handle_at = symbol<Return(const char*, Device*)>(opened, {"nvmlDeviceGetHandleByPciBusId_v2"});
    index = symbol<Return(Device, unsigned*)>(opened, {"nvmlDeviceGetIndex"});
    clock = symbol<Return(Device, unsigned, unsigned*)>(opened, {"nvmlDeviceGetClockInfo"});
    power = symbol<Return(Device, unsigned*)>(opened, {"nvmlDeviceGetPowerUsage"});
    temperature = symbol<Return(Device, unsigned, unsigned*)>(opened, {"nvmlDeviceGetTemperature"});
    utilisation = symbol<Return(Device, Utilisation*)>(opened, {"nvmlDeviceGetUtilizationRates"});
    memory = symbol<Return(Device, Memory*)>(opened, {"nvmlDeviceGetMemoryInfo"});
    // Renamed by driver 535; the old name stays in newer libraries.
    reasons = symbol<Return(Device, unsigned long long*)>(
        opened, {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"});
  }
  bool complete() const {
    return init != nullptr && shutdown != nullptr && count != nullptr && handle != nullptr;
  }
};

Nvml::Nvml(const std::string& library)
    : symbols_(std::make_unique<const Symbols>(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL))) {
  if (!symbols_->library) {
    const char* words = dlerror();
    reason_ = words != nullptr ? words : library + " cannot be opened";
    return;
  }
  if (!symbols_->complete()) {
    reason_ = library + " lacks nvmlInit_v2 or another entry that every NVML has";
    return;
  }
  start();
}

void Nvml::start() {
  const auto words = [this](Return code) {
    const std::string text = symbols_->error_text != nullptr ? symbols_->error_text(code) : "";
    return (text.empty() ? "" : text + ", ") + "NVML code " + std::to_string(code);
  };
  if (const Return code = symbols_->init(); code != kSuccess) {
    status_ = NvmlStatus::no_driver;
    reason_ = words(code);
    return;
  }
  initialised_ = true;
  unsigned count = 0;
  const Return code = symbols_->count(&count);
  status_ = code == kSuccess && count > 0 ? NvmlStatus::available : NvmlStatus::no_device;
  if (status_ == NvmlStatus::available)
    devices_ = static_cast<int>(count);
  else
    reason_ = code == kSuccess ? "the driver lists none" : words(code);
}

Nvml::~Nvml() {
  if (initialised_) symbols_->shutdown();
}

std::optional<int> Nvml::device_at(const std::string& pci_bus_id) const {
  Device device = nullptr;
  unsigned index = 0;
  if (status_ != NvmlStatus::available || symbols_->handle_at == nullptr || symbols_->index == nullptr)
    return std::nullopt;
  if (symbols_->handle_at(pci_bus_id.c_str(), &device) != kSuccess) return std::nullopt;
  if (symbols_->index(device, &index) != kSuccess) return std::nullopt;
  return static_cast<int>(index);
}

GpuReading Nvml::read(int device) const {
  GpuReading reading;
  Device gpu = nullptr;
  if (device < 0 || device >= devices_) return reading;
  const Symbols& nvml = *symbols_;
  if (nvml.handle(static_cast<unsigned>(device), &gpu) != kSuccess) return reading;

  // A call that the library lacks or that the device answers with an error (NOT_SUPPORTED) leaves its field
  // absent.
  const auto worked = [](auto* function, auto... arguments) {
    return function != nullptr && function(arguments...) == kSuccess;
  };
  unsigned value = 0;
  if (worked(nvml.clock, gpu, kClockSm, &value)) reading.gpu_sm_mhz = value;
  if (worked(nvml.clock, gpu, kClockMem, &value)) reading.gpu_mem_mhz = value;
  if (worked(nvml.power, gpu, &value)) reading.gpu_power_w = value / 1e3;
  if (worked(nvml.temperature, gpu, kSensorGpu, &value)) reading.gpu_temperature_c = value;
  Utilisation utilisation;
  if (worked(nvml.utilisation, gpu, &utilisation)) reading.gpu_utilisation = utilisation.gpu / 100.0;
  Memory memory;
  if (worked(nvml.memory, gpu, &memory)) reading.gpu_memory_used_bytes = static_cast<double>(memory.used);
  unsigned long long reasons = 0;
  if (worked(nvml.reasons, gpu, &reasons)) reading.gpu_throttle_reasons = reasons;
  return reading;
}

}  // namespace bench::system
