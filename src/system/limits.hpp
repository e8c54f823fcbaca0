// SPDX-License-Identifier: Apache-2.0
// What this process may still use: the kernel's view, cut down to what its control groups (containers, Slurm
// steps) allow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bench::system {

/// Where the kernel's files are; another place only in tests.
struct KernelFiles {
  std::string proc = "/proc";
  std::string cgroup = "/sys/fs/cgroup";
};

/// Bytes that may still be allocated without swapping: the least of MemAvailable and, for each control group
/// from ours up to the root (v2 or v1), its limit less what is used and cannot be dropped. nullopt when the
/// kernel tells nothing.
std::optional<std::int64_t> available_memory_bytes(const KernelFiles& files = {});

/// CPU time that our control groups grant, in cores (1.5 = 150 ms per 100 ms); nullopt without a quota. A
/// container with a quota sees all cores of its host and yet may not use them at once.
std::optional<double> cpu_quota_cores(const KernelFiles& files = {});

}  // namespace bench::system
