// SPDX-License-Identifier: Apache-2.0
#include "src/system/peak_memory.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "src/system/proc_files.hpp"

namespace bench::system {
namespace {

constexpr std::int64_t kKiB = 1024;

std::int64_t status_bytes(const char* key) {
  const auto status = read_text("/proc/self/status").value_or("");
  return leading_int(value_of(status, key).value_or("")).value_or(0) * kKiB;
}

}  // namespace

std::int64_t resident_memory_bytes() {
  return status_bytes("VmRSS:");
}

std::int64_t peak_memory_bytes() {
  if (const std::int64_t peak = status_bytes("VmHWM:"); peak > 0) return peak;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * kKiB;
}

bool reset_peak_memory() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5" << std::flush;
  if (!file) return false;
  // Some sandboxes accept the write and ignore it. The kernel counts pages per thread in batches, hence the
  // slack.
  constexpr std::int64_t kSlack = 4 * kKiB * kKiB;
  return peak_memory_bytes() <= resident_memory_bytes() + kSlack;
}

}  // namespace bench::system
