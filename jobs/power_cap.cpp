// SPDX-License-Identifier: Apache-2.0
#include "jobs/power_cap.hpp"

#include "analysis/sample_times.hpp"
#include "src/system/nvml.hpp"

namespace bench::jobs {

void mark_power_cap(analysis::VisitRecord& visit) {
  const auto it = visit.after.find("gpu_throttle_reasons");
  if (it == visit.after.end()) return;
  if ((static_cast<std::uint64_t>(it->second) & (system::kSwPowerCap | system::kHwPowerBrake)) == 0) return;
  for (std::int64_t& flags : visit.flags) flags |= analysis::kPowerCap;
}

}  // namespace bench::jobs
