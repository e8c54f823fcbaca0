// SPDX-License-Identifier: Apache-2.0
#include "src/system/limits.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

#include "src/system/proc_files.hpp"

namespace bench::system {
namespace {

// The folder of our group and those of its ancestors, for a v1 controller ("memory") or for v2 (""). Inside a
// container the path may name folders that only the host sees; the root always counts.
std::vector<std::string> group_folders(const KernelFiles& files, const std::string& controller) {
  const std::string root = controller.empty() ? files.cgroup : files.cgroup + "/" + controller;
  std::vector<std::string> folders{root};
  std::istringstream lines(read_text(files.proc + "/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {  // id:controllers:path
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string wanted = "," + controller + ",";
    if (controllers.find(wanted) == std::string::npos) continue;
    const std::string path = line.substr(second + 1);
    for (std::size_t end = path.size(); end > 1; end = path.rfind('/', end - 1)) {
      if (end == std::string::npos || end == 0) break;
      folders.push_back(root + path.substr(0, end));
    }
  }
  return folders;
}

std::optional<std::int64_t> read_int(const std::string& path) {
  return leading_int(read_text(path).value_or(""));
}

struct MemoryFiles {
  const char *controller, *limit, *used, *droppable;
};
constexpr MemoryFiles kMemoryV2{"", "memory.max", "memory.current", "inactive_file "};
constexpr MemoryFiles kMemoryV1{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                                "total_inactive_file "};

// The group's use includes file pages that the kernel drops when memory runs short; those are as good as
// free.
std::optional<std::int64_t> headroom(const std::string& folder, const MemoryFiles& names) {
  const auto limit = read_int(folder + "/" + names.limit);
  const auto used = read_int(folder + "/" + names.used);
  if (!limit || !used) return std::nullopt;
  const auto stat = read_text(folder + "/memory.stat").value_or("");
  const auto droppable = leading_int(value_of(stat, names.droppable).value_or("")).value_or(0);
  return std::max<std::int64_t>(0, *limit - *used + droppable);
}

template <class T>
void keep_least(std::optional<T>& least, std::optional<T> other) {
  if (other && (!least || *other < *least)) least = other;
}

std::optional<double> quota_v2(const std::string& folder) {
  std::istringstream text(read_text(folder + "/cpu.max").value_or(""));  // "200000 100000" or "max 100000"
  std::string quota;
  double period_us = 0;
  if (!(text >> quota >> period_us) || quota == "max" || period_us <= 0) return std::nullopt;
  return std::strtod(quota.c_str(), nullptr) / period_us;
}

std::optional<double> quota_v1(const std::string& folder) {
  const auto quota_us = read_int(folder + "/cpu.cfs_quota_us");  // -1: none
  const auto period_us = read_int(folder + "/cpu.cfs_period_us");
  if (!quota_us || !period_us || *quota_us <= 0 || *period_us <= 0) return std::nullopt;
  return static_cast<double>(*quota_us) / static_cast<double>(*period_us);
}

}  // namespace

std::optional<std::int64_t> available_memory_bytes(const KernelFiles& files) {
  std::optional<std::int64_t> least;
  const auto meminfo = read_text(files.proc + "/meminfo").value_or("");
  if (const auto kib = leading_int(value_of(meminfo, "MemAvailable:").value_or(""))) least = *kib * 1024;
  for (const MemoryFiles& names : {kMemoryV2, kMemoryV1}) {
    for (const auto& folder : group_folders(files, names.controller))
      keep_least(least, headroom(folder, names));
  }
  return least;
}

std::optional<double> cpu_quota_cores(const KernelFiles& files) {
  std::optional<double> least;
  for (const auto& folder : group_folders(files, "")) keep_least(least, quota_v2(folder));
  for (const auto& folder : group_folders(files, "cpu")) keep_least(least, quota_v1(folder));
  return least;
}

}  // namespace bench::system
