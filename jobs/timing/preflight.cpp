// SPDX-License-Identifier: Apache-2.0
#include "jobs/timing/preflight.hpp"

#include <algorithm>
#include <vector>

#include "analysis/statistics/quantiles.hpp"

namespace bench::jobs {
namespace {

constexpr int kReadings = 10'001;  // 0.3 ms on a usual clock; odd, so that the median is one of them
constexpr std::int64_t kMostCalls = std::int64_t{1} << 20;  // a clock that stands still must not make it endless

}  // namespace

TimerFloor measure_timer(const Clock& clock) {
  std::vector<double> steps;
  steps.reserve(kReadings);
  double last = clock();
  for (int i = 0; i < kReadings; ++i) {
    const double now = clock();
    steps.push_back(now - last);
    last = now;
  }
  std::ranges::sort(steps);
  const auto first = std::ranges::upper_bound(steps, 0.0);
  return {first == steps.end() ? 0.0 : *first, analysis::median(steps)};
}

double shortest_sample_s(const TimerFloor& floor) { return std::max(100.0 * floor.resolution_s, 1000.0 * floor.overhead_s); }

std::int64_t calls_per_sample(double call_s, double shortest_s) {
  std::int64_t calls = 1;
  while (calls < kMostCalls && static_cast<double>(calls) * call_s < shortest_s) calls *= 2;
  return calls;
}

}  // namespace bench::jobs
