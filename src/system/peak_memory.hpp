// SPDX-License-Identifier: Apache-2.0
// How much memory this process has held: resident pages now, and the most since the start or the last reset.
#pragma once

#include <cstdint>

namespace bench::system {

/// Resident bytes now; 0 when the kernel does not say.
std::int64_t resident_memory_bytes();

/// The most bytes ever resident: VmHWM of /proc/self/status, or getrusage's ru_maxrss where there is no /proc
/// (that one is not reset).
std::int64_t peak_memory_bytes();

/// Lowers the high-water mark to what is resident now (writes 5 to /proc/self/clear_refs; Linux 4.0). False
/// when that is not allowed: then peaks are those since the process started, and a row must say so.
bool reset_peak_memory();

}  // namespace bench::system
