// SPDX-License-Identifier: Apache-2.0
#include "src/cli/telemetry_log.hpp"

namespace bench::cli {
namespace {

analysis::Telemetry figures(const system::Reading& reading) {
  analysis::Telemetry values;
  for (const auto& [name, value] : system::named_values(reading))
    if (value) values[name] = *value;
  if (reading.gpu_throttle_reasons) values["gpu_throttle_reasons"] = static_cast<double>(*reading.gpu_throttle_reasons);
  return values;
}

}  // namespace

std::function<analysis::Telemetry()> telemetry_reader(int gpu) {
  return [source = std::make_shared<system::Telemetry>(system::Telemetry::Options{.gpu = gpu})] { return figures(source->read()); };
}

/// The sampler's times are of the steady clock, as jobs::steady_clock's are.
TelemetryLog::TelemetryLog(double period_s, int gpu) {
  if (period_s <= 0.0) return;
  source_ = std::make_shared<system::Telemetry>(system::Telemetry::Options{.gpu = gpu});
  sampler_.emplace([source = source_] { return source->read(); }, period_s);
  sampler_->start();
}

std::vector<analysis::TimedTelemetry> TelemetryLog::take(double start_s) {
  std::vector<analysis::TimedTelemetry> readings;
  if (!sampler_) return readings;
  for (const system::TimedReading& reading : sampler_->stop()) readings.push_back({reading.time_s - start_s, figures(reading.reading)});
  sampler_->start();
  return readings;
}

}  // namespace bench::cli
