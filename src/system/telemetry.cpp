// SPDX-License-Identifier: Apache-2.0
#include "src/system/telemetry.hpp"

#include "src/system/provenance.hpp"

namespace bench::system {

std::vector<std::pair<std::string, std::optional<double>>> named_values(const Reading& r) {
  return {{"cpu_mhz", r.cpu_mhz},
          {"load_1m", r.load_1m},
          {"cpu_utilisation", r.cpu_utilisation},
          {"own_cpu_fraction", r.own_cpu_fraction},
          {"steal_fraction", r.steal_fraction},
          {"period_s", r.period_s},
          {"memory_available_bytes", r.memory_available_bytes},
          {"temperature_c", r.temperature_c},
          {"gpu_sm_mhz", r.gpu_sm_mhz},
          {"gpu_mem_mhz", r.gpu_mem_mhz},
          {"gpu_power_w", r.gpu_power_w},
          {"gpu_temperature_c", r.gpu_temperature_c},
          {"gpu_utilisation", r.gpu_utilisation},
          {"gpu_memory_used_bytes", r.gpu_memory_used_bytes}};
}

nlohmann::ordered_json to_json(const Reading& reading) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, value] : named_values(reading)) {
    if (value)
      json[name] = *value;
    else
      json[name] = kUnavailable;
  }
  if (reading.gpu_throttle_reasons)
    json["gpu_throttle_reasons"] = throttle_names(*reading.gpu_throttle_reasons);
  else
    json["gpu_throttle_reasons"] = kUnavailable;
  return json;
}

Telemetry::Telemetry(Options options)
    : gpu_(options.gpu),
      cpu_(std::move(options.files), std::move(options.cpus)),
      nvml_(options.nvml_library) {}

Reading Telemetry::read() {
  Reading reading;
  static_cast<CpuReading&>(reading) = cpu_.read();
  static_cast<GpuReading&>(reading) = nvml_.read(gpu_);
  return reading;
}

nlohmann::ordered_json Telemetry::description() const {
  std::string nvml(to_text(nvml_.status()));
  if (!nvml_.reason().empty()) nvml += ": " + nvml_.reason();
  return {{"cpus", cpu_.cpus()}, {"nvml", nvml}};
}

}  // namespace bench::system
