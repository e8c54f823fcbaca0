// SPDX-License-Identifier: Apache-2.0
// Numbers with units for people. Files store SI base units; only text for reading is scaled.
#pragma once

#include <cstdint>
#include <string>

namespace bench {

/// Seconds as "1.234 ms": ns, us, ms or s, four significant digits.
std::string format_time(double time_s);
/// A scale and its unit for a group of times that are printed together: 1e3 and "ms" for 0.0012 s.
struct TimeUnit {
  double per_second;
  const char* name;
};
TimeUnit time_unit_for(double time_s);
/// Whole seconds as "8 s", "2 min 05 s", "1 h 12 min".
std::string format_duration(double time_s);
/// Bytes as "1.5 GiB" (powers of 1024).
std::string format_bytes(std::int64_t bytes);

}  // namespace bench
