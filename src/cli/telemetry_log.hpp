// SPDX-License-Identifier: Apache-2.0
// The machine's state while a run is on: at the ends of visits for every rank that asks, and by a thread of rank 0 when it was asked for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "analysis/record.hpp"
#include "src/system/sampler.hpp"
#include "src/system/telemetry.hpp"

namespace bench::cli {

/// Reads the machine's state by name; what it does not tell is left out. The throttle reasons are a mask of NVML's bits.
/// `gpu`: NVML's number.
std::function<analysis::Telemetry()> telemetry_reader(int gpu);

class TelemetryLog {
 public:
  /// Nothing happens when `period_s` is 0.
  TelemetryLog(double period_s, int gpu);
  /// What was read since the last call, in seconds since `start_s` of jobs::steady_clock. The thread goes on.
  std::vector<analysis::TimedTelemetry> take(double start_s);

 private:
  std::shared_ptr<system::Telemetry> source_;
  std::optional<system::Sampler> sampler_;
};

}  // namespace bench::cli
