// SPDX-License-Identifier: Apache-2.0
#include "src/core/units.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

template <class... Arguments>
std::string print(const char* format, Arguments... arguments) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), format, arguments...);
  return {text.data(), static_cast<std::size_t>(std::clamp(length, 0, 63))};
}

}  // namespace

TimeUnit time_unit_for(double time_s) {
  if (!(time_s >= 1e-6)) return {1e9, "ns"};
  if (time_s < 1e-3) return {1e6, "us"};
  if (time_s < 1.0) return {1e3, "ms"};
  return {1.0, "s"};
}

std::string format_time(double time_s) {
  const TimeUnit unit = time_unit_for(time_s);
  return print("%.4g %s", time_s * unit.per_second, unit.name);
}

std::string format_duration(double time_s) {
  const long long seconds = std::llround(std::max(0.0, time_s));
  if (seconds < 60) return print("%lld s", seconds);
  if (seconds < 3600) return print("%lld min %02lld s", seconds / 60, seconds % 60);
  return print("%lld h %02lld min", seconds / 3600, seconds % 3600 / 60);
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; std::abs(value) >= 1024.0 && unit + 1 < kUnits.size(); ++unit) value /= 1024.0;
  return print("%.4g %s", value, kUnits[unit]);
}

}  // namespace bench
