// SPDX-License-Identifier: Apache-2.0
#include "src/cli/device_findings.hpp"

#include <fmt/format.h>

#include <iostream>
#include <optional>

#include "kernels/library.hpp"
#include "src/system/nvidia_driver.hpp"
#include "src/system/nvml.hpp"

namespace bench::cli {

using nlohmann::ordered_json;

namespace {

std::string with_unit(const std::optional<double>& value, const char* unit) {
  return value ? fmt::format("{:.4g} {}", *value, unit) : "unavailable";
}

}  // namespace

ordered_json devices_found() {
  const jobs::DeviceMeter* meter = Registry<jobs::DeviceMeter>::instance().find("cuda");
  if (meter == nullptr) return {{"driver", "unavailable"}, {"built with", "none"}, {"reason", "this build has no CUDA"}, {"devices", ordered_json::array()}};
  const jobs::DeviceReport report = meter->report(true);
  const system::Nvml nvml;
  ordered_json devices = ordered_json::array();
  for (const jobs::DeviceFacts& found : report.devices) {
    ordered_json device;
    for (const auto& [name, value] : found.facts) device[name] = value;
    if (const auto index = nvml.device_at(found.pci_bus_id)) {
      const system::GpuReading now = nvml.read(*index);
      device["now"] = fmt::format("SM {}, memory {}, {}, {}", with_unit(now.gpu_sm_mhz, "MHz"), with_unit(now.gpu_mem_mhz, "MHz"), with_unit(now.gpu_power_w, "W"),
                                  with_unit(now.gpu_temperature_c, "degC"));
    } else {
      device["now"] = concat("unavailable: ", nvml.reason().empty() ? "NVML does not know it" : nvml.reason());
    }
    devices.push_back(std::move(device));
  }
  const std::string driver = system::nvidia_driver_version();
  return {{"driver", report.driver_cuda.empty() ? "unavailable" : concat(driver.empty() ? "version unknown" : driver, ", for CUDA ", report.driver_cuda)},
          {"built with", report.program_cuda},
          {"reason", report.reason},
          {"devices", devices}};
}

void add_devices(ordered_json& provenance) {
  const jobs::DeviceMeter* meter = Registry<jobs::DeviceMeter>::instance().find("cuda");
  if (meter == nullptr) return;
  const jobs::DeviceReport report = meter->report(false);
  if (report.devices.empty()) return;
  ordered_json& gpu = provenance["gpu"];
  for (const jobs::DeviceFacts& device : report.devices) {
    gpu["names"].push_back(device.name);
    gpu["compute_capabilities"].push_back(device.compute_capability);
  }
  gpu["driver"] = system::nvidia_driver_version();
  gpu["driver_cuda"] = report.driver_cuda;
  gpu["built_with_cuda"] = report.program_cuda;
  for (const Library* library : Registry<Library>::instance().all()) gpu["libraries"][library->name] = library->version();
}

void print_devices(const ordered_json& found) {
  std::cout << fmt::format("{:<18}driver {}; built with {}\n", "CUDA", found["driver"].get<std::string>(), found["built with"].get<std::string>());
  for (std::size_t i = 0; i < found["devices"].size(); ++i) {
    std::cout << fmt::format("device {}\n", i);
    for (const auto& [name, value] : found["devices"][i].items()) std::cout << fmt::format("  {:<20}{}\n", name, value.get<std::string>());
  }
}

int nvml_number_of_rank(int local_rank) {
  const jobs::DeviceMeter* meter = Registry<jobs::DeviceMeter>::instance().find("cuda");
  if (meter == nullptr) return 0;
  const std::vector<jobs::DeviceFacts> devices = meter->report(false).devices;
  if (devices.empty()) return 0;
  return system::Nvml().device_at(devices[static_cast<std::size_t>(local_rank) % devices.size()].pci_bus_id).value_or(-1);
}

std::vector<jobs::DeviceRate> device_rates() {
  const jobs::DeviceMeter* meter = Registry<jobs::DeviceMeter>::instance().find("cuda");
  try {
    return meter != nullptr ? meter->rates(jobs::steady_clock(), 0) : std::vector<jobs::DeviceRate>{};
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return {};
  }
}

ordered_json as_json(const std::vector<jobs::DeviceRate>& measured) {
  ordered_json rates = ordered_json::array();
  for (const jobs::DeviceRate& rate : measured)
    rates.push_back({{"name", jobs::name_of(rate)}, {"unit", jobs::unit_of(rate.kind)}, {"rate", rate.per_s > 0.0 ? ordered_json(rate.per_s) : ordered_json()}, {"note", rate.note}});
  return rates;
}

void print(const std::vector<jobs::DeviceRate>& measured) {
  if (measured.empty()) return;
  std::cout << "\nwhat device 0 can do, medians of 11, in units of 1e9\n";
  for (const jobs::DeviceRate& rate : measured)
    std::cout << fmt::format("  {:<32} {:>8} {:>12} {}\n", jobs::name_of(rate), jobs::unit_of(rate.kind), rate.per_s > 0.0 ? fmt::format("{:.4g}", rate.per_s / 1e9) : "-", rate.note);
}

}  // namespace bench::cli
