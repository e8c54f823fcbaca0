// SPDX-License-Identifier: Apache-2.0
#include "scaling/estimate.hpp"

#include <algorithm>

namespace bench::scaling {
namespace {

// The fp64 oracle, filling and allocation, per visit: nominal.
constexpr double kVisitOverhead_s = 0.2;

}  // namespace

std::int64_t visits_to(const Case& c, const RunSettings& run) {
  return c.scaling.empty() ? run.visits : std::max(run.visits, run.scaling_visits);
}

double visit_estimate_s(const Case& c, const RunSettings& run) {
  const double call_s = c.estimate_s, fewest = static_cast<double>(run.min_samples) * call_s,
               most = static_cast<double>(run.max_samples) * call_s;
  const double timed =
      std::min({std::max(fewest, run.min_time), std::max(most, run.min_time), std::max(run.budget, call_s)});
  return kVisitOverhead_s + std::max(static_cast<double>(run.warmup + 1) * call_s, run.warmup_time) + timed;
}

}  // namespace bench::scaling
