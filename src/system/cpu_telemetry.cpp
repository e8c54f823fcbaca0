// SPDX-License-Identifier: Apache-2.0
#include "src/system/cpu_telemetry.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <sstream>
#include <utility>

#include "src/system/limits.hpp"
#include "src/system/proc_files.hpp"

namespace bench::system {
namespace {

double own_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The number that `text` starts with; nullopt when it starts with none.
std::optional<double> leading_number(std::string_view text) {
  text = trimmed(text);
  double value = 0.0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> read_number(const std::string& path) {
  const auto text = read_text(path);
  return text ? leading_number(*text) : std::nullopt;
}

std::optional<double> mean_of(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// "cpu MHz" of our cores in /proc/cpuinfo, which lists one block a processing unit. No stream: this text is
// long on a machine with many cores, and a sampler reads it all the time.
std::vector<double> mhz_of_cpuinfo(std::string_view cpuinfo, const std::vector<int>& cpus) {
  std::vector<double> found;
  bool ours = false;
  while (!cpuinfo.empty()) {
    const auto end = std::min(cpuinfo.find('\n'), cpuinfo.size());
    const std::string_view line = cpuinfo.substr(0, end);
    cpuinfo.remove_prefix(std::min(end + 1, cpuinfo.size()));
    const bool names_unit = line.starts_with("processor");
    if (!names_unit && !line.starts_with("cpu MHz")) continue;
    const auto value = leading_number(line.substr(std::min(line.find(':'), line.size() - 1) + 1));
    if (names_unit) ours = value && std::ranges::find(cpus, static_cast<int>(*value)) != cpus.end();
    if (!names_unit && ours && value) found.push_back(*value);
  }
  return found;
}

// Sensors of the processor have well-known names; others (disks, the board) say nothing about throttling.
bool is_cpu_sensor(std::string_view name) {
  constexpr std::array<std::string_view, 6> kNames{"x86_pkg_temp", "cpu-thermal", "cpu_thermal",
                                                   "coretemp",     "k10temp",     "zenpower"};
  return std::ranges::find(kNames, name) != kNames.end();
}

std::vector<std::string> sensors_below(const std::string& folder, const std::string& name_file) {
  std::vector<std::string> sensors;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (!is_cpu_sensor(trimmed(read_text(entry.path() / name_file).value_or("")))) continue;
    for (const auto& file : std::filesystem::directory_iterator(entry.path(), ignored)) {
      const std::string name = file.path().filename().string();
      const bool input = name.starts_with("temp") && (name == "temp" || name.ends_with("_input"));
      if (input) sensors.push_back(file.path().string());
    }
  }
  return sensors;
}

}  // namespace

std::optional<CpuTicks> cpu_ticks(const std::string& stat, const std::vector<int>& cpus) {
  CpuTicks sum;
  for (const int cpu : cpus) {
    const auto line = value_of(stat, "cpu" + std::to_string(cpu) + " ");
    if (!line) return std::nullopt;
    std::istringstream fields(*line);
    std::array<std::int64_t, 8> t{};  // user nice system idle iowait irq softirq steal
    for (std::size_t i = 0; i < t.size(); ++i)
      if (!(fields >> t[i]) && i < 4) return std::nullopt;  // kernels before 2.6.11 have fewer columns
    sum.busy += t[0] + t[1] + t[2] + t[5] + t[6];
    sum.idle += t[3] + t[4];
    sum.steal += t[7];
  }
  return sum;
}

std::vector<int> allowed_cpus() {
  // The set's size is the kernel's, not ours: grow until it fits (sched_getaffinity(2)).
  for (int count = 1024; count <= 1 << 20; count *= 2) {
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(count),
                                                               [](cpu_set_t* s) { CPU_FREE(s); });
    if (!set) return {};
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(getpid(), bytes, set.get()) != 0) continue;
    std::vector<int> cpus;
    for (int cpu = 0; cpu < count; ++cpu)
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set.get())) cpus.push_back(cpu);
    return cpus;
  }
  return {};
}

CpuTelemetry::CpuTelemetry(TelemetryFiles files, std::vector<int> cpus)
    : files_(std::move(files)), cpus_(std::move(cpus)) {
  if (cpus_.empty()) cpus_ = allowed_cpus();
  sensors_ = sensors_below(files_.sys + "/class/thermal", "type");
  if (sensors_.empty()) sensors_ = sensors_below(files_.sys + "/class/hwmon", "name");
}

std::optional<double> CpuTelemetry::mean_mhz() const {
  std::vector<double> mhz;
  for (const int cpu : cpus_) {
    const auto khz = read_number(files_.sys + "/devices/system/cpu/cpu" + std::to_string(cpu) +
                                 "/cpufreq/scaling_cur_freq");
    if (khz) mhz.push_back(*khz / 1e3);
  }
  if (mhz.empty()) mhz = mhz_of_cpuinfo(read_text(files_.proc + "/cpuinfo").value_or(""), cpus_);
  return mean_of(mhz);
}

std::optional<double> CpuTelemetry::temperature_c() const {
  std::optional<double> hottest;
  for (const std::string& sensor : sensors_)
    if (const auto milli = read_number(sensor)) hottest = std::max(hottest.value_or(-273.15), *milli / 1e3);
  return hottest;
}

void CpuTelemetry::read_times(CpuReading& reading) {
  Look now{std::chrono::steady_clock::now(), std::nullopt, own_cpu_s()};
  if (!cpus_.empty()) now.ticks = cpu_ticks(read_text(files_.proc + "/stat").value_or(""), cpus_);
  const auto before = std::exchange(previous_, now);
  if (!before) return;
  const double period_s = std::chrono::duration<double>(now.at - before->at).count();
  reading.period_s = period_s;
  const double core_s = period_s * static_cast<double>(cpus_.size());
  if (core_s > 0.0) reading.own_cpu_fraction = (now.own_cpu_s - before->own_cpu_s) / core_s;
  if (!now.ticks || !before->ticks) return;
  // The idle columns of a core that sleeps may go back a little (proc(5)): never below nothing.
  const auto grown = [](std::int64_t from, std::int64_t to) {
    return static_cast<double>(std::max<std::int64_t>(0, to - from));
  };
  const double busy = grown(before->ticks->busy, now.ticks->busy);
  const double steal = grown(before->ticks->steal, now.ticks->steal);
  const double total = busy + steal + grown(before->ticks->idle, now.ticks->idle);
  if (total <= 0.0) return;  // shorter than a tick, or a sandbox that counts nothing
  reading.cpu_utilisation = busy / total;
  reading.steal_fraction = steal / total;
}

CpuReading CpuTelemetry::read() {
  CpuReading reading;
  read_times(reading);
  reading.cpu_mhz = mean_mhz();
  reading.load_1m = read_number(files_.proc + "/loadavg");
  if (const auto bytes = available_memory_bytes({files_.proc, files_.sys + "/fs/cgroup"}))
    reading.memory_available_bytes = static_cast<double>(*bytes);
  reading.temperature_c = temperature_c();
  return reading;
}

std::optional<double> foreign_fraction(const CpuReading& reading) {
  if (!reading.cpu_utilisation || !reading.own_cpu_fraction) return std::nullopt;
  return std::max(0.0, *reading.cpu_utilisation - *reading.own_cpu_fraction);
}

bool foreign_load(const CpuReading& reading, double limit) {
  constexpr double kShortestPeriod_s = 0.2;
  if (reading.period_s.value_or(0.0) < kShortestPeriod_s) return false;
  return foreign_fraction(reading).value_or(0.0) > limit;
}

}  // namespace bench::system
