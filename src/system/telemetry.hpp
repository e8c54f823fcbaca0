// SPDX-License-Identifier: Apache-2.0
// The state of the machine at one moment, processor and device together: read where a visit starts and ends,
// or by a Sampler in between. Absent is absent: in text and JSON it is "unavailable", never 0.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/system/cpu_telemetry.hpp"
#include "src/system/nvml.hpp"

namespace bench::system {

/// All that can be told; units are in the names, meanings in cpu_telemetry.hpp and nvml.hpp.
struct Reading : CpuReading, GpuReading {};

/// Every number of a reading with its name, in a fixed order, absent ones too. The throttle reasons are not
/// among them: they are a set of names, not a number.
std::vector<std::pair<std::string, std::optional<double>>> named_values(const Reading& reading);

/// {"cpu_mhz": 2300.0, "gpu_power_w": "unavailable", ..., "gpu_throttle_reasons": ["SwPowerCap"]}: the names
/// of named_values, then the reasons as a list of names.
nlohmann::ordered_json to_json(const Reading& reading);

/// Reads both. Not for two threads at once: utilisation and steal are those since the previous read().
class Telemetry {
 public:
  struct Options {
    TelemetryFiles files = {};
    std::vector<int> cpus = {};  // empty: those that this process may run on now
    std::string nvml_library = "libnvidia-ml.so.1";
    int gpu = 0;  // NVML's number of the device to read, see Nvml::device_at
  };
  Telemetry() : Telemetry(Options{}) {}
  explicit Telemetry(Options options);

  /// The first call has no utilisation and no steal, for there is no period yet.
  Reading read();
  const Nvml& nvml() const { return nvml_; }
  /// {"cpus": [0, 1], "nvml": "available" or the reason}: what is read, once a run.
  nlohmann::ordered_json description() const;

 private:
  int gpu_;
  CpuTelemetry cpu_;
  Nvml nvml_;
};

}  // namespace bench::system
