// SPDX-License-Identifier: Apache-2.0
// What the processor was doing around a measurement: frequency, load, time taken by others. Read from /proc
// and /sys. A field that the system does not tell is absent, never 0.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bench::system {

/// Where the kernel's files are; another place only in tests.
struct TelemetryFiles {
  std::string proc = "/proc";
  std::string sys = "/sys";
};

/// One look at the processor. "Our cores" are those that the CpuTelemetry was made for; "the period" is the
/// time since its previous look, so the first look has none of the fields that need one.
struct CpuReading {
  std::optional<double> cpu_mhz;           // mean over our cores
  std::optional<double> load_1m;           // tasks running or waiting, whole system, 1 minute average
  std::optional<double> cpu_utilisation;   // 0..1: share of our cores' period in which anything ran on them
  std::optional<double> own_cpu_fraction;  // the same unit: CPU time of this process / (period * our cores)
  std::optional<double> steal_fraction;    // 0..1: share of the period that the hypervisor gave to others
  std::optional<double> period_s;          // how long the period was
  std::optional<double> memory_available_bytes;  // control groups included, see limits.hpp
  std::optional<double> temperature_c;           // the processor's hottest sensor
};

/// What /proc/stat counts for some cores together, in clock ticks (10 ms, as a rule) since the start.
struct CpuTicks {
  std::int64_t busy = 0;   // user, nice, system, irq, softirq (guests are part of user)
  std::int64_t idle = 0;   // idle, iowait
  std::int64_t steal = 0;  // ready to run, but the hypervisor ran somebody else
};

/// Sums the lines of `cpus` in the text of /proc/stat; nullopt when one of them is missing or malformed.
/// Source: proc(5).
std::optional<CpuTicks> cpu_ticks(const std::string& stat, const std::vector<int>& cpus);

/// The processing units that this process's main thread may run on; empty when the kernel does not say.
std::vector<int> allowed_cpus();

/// Looks at the processor; each look is some ten small files and no more. Not for two threads at once.
class CpuTelemetry {
 public:
  /// `cpus`: our cores; empty for those that this process may run on now, so make it after binding.
  explicit CpuTelemetry(TelemetryFiles files = {}, std::vector<int> cpus = {});
  CpuReading read();
  const std::vector<int>& cpus() const { return cpus_; }

 private:
  void read_times(CpuReading& reading);
  std::optional<double> mean_mhz() const;
  std::optional<double> temperature_c() const;

  struct Look {
    std::chrono::steady_clock::time_point at;
    std::optional<CpuTicks> ticks;
    double own_cpu_s = 0.0;
  };
  TelemetryFiles files_;
  std::vector<int> cpus_;
  std::vector<std::string> sensors_;  // files in thousandths of a degree
  std::optional<Look> previous_;
};

/// CPU time of others on our cores as a share of the period: cpu_utilisation - own_cpu_fraction, at least 0;
/// absent when either is.
std::optional<double> foreign_fraction(const CpuReading& reading);

/// True when others took more than `limit` of our cores. False also when that cannot be known: a field is
/// absent, or the period is shorter than 0.2 s, where one clock tick (10 ms) alone is 5 % of a core. Ranks
/// that share cores count as foreign to each other.
bool foreign_load(const CpuReading& reading, double limit = 0.10);

}  // namespace bench::system
