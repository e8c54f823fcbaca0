// SPDX-License-Identifier: Apache-2.0
#include "analysis/sample_times.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <span>

#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr double kBoundShare = 0.01;  // of a sample: above it a rank's own duration is the better figure

std::size_t width_of(const VisitRecord& visit) { return static_cast<std::size_t>(std::max<std::int64_t>(1, visit.ranks)); }
std::size_t samples_of(const VisitRecord& visit) { return visit.rank_time_s.size() / width_of(visit); }
bool has_starts(const VisitRecord& visit) {
  return visit.ranks > 1 && !visit.rank_start_s.empty() && visit.rank_start_s.size() == visit.rank_time_s.size();
}

template <class Of>
std::vector<double> per_sample(const VisitRecord& visit, Of&& of) {
  std::vector<double> values(samples_of(visit));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = of(i * width_of(visit));
  return values;
}

}  // namespace

const std::vector<std::string>& sample_flag_names() {
  static const std::vector<std::string> names{"late", "overrun", "throttled", "power_cap", "spin_timeout", "clock_bound", "warmup"};
  return names;
}

std::vector<double> local_times(const VisitRecord& visit) {
  const std::span<const double> times = visit.rank_time_s;
  return per_sample(visit, [&](std::size_t first) { return std::ranges::max(times.subspan(first, width_of(visit))); });
}

bool uses_common_clock(const VisitRecord& visit) {
  if (!has_starts(visit)) return false;
  return visit.clock_bound_s <= kBoundShare * static_cast<double>(visit.calls_per_sample) * median(sorted(local_times(visit)));
}

std::vector<double> sample_times(const VisitRecord& visit) {
  if (!uses_common_clock(visit)) return local_times(visit);
  const auto calls = static_cast<double>(visit.calls_per_sample);
  return per_sample(visit, [&](std::size_t first) {
    double begin = visit.rank_start_s[first], end = begin;
    for (std::size_t r = first; r < first + width_of(visit); ++r) {
      begin = std::min(begin, visit.rank_start_s[r]);
      end = std::max(end, visit.rank_start_s[r] + calls * visit.rank_time_s[r]);
    }
    return (end - begin) / calls;
  });
}

std::vector<std::size_t> valid_samples(const VisitRecord& visit) {
  std::vector<std::size_t> all(samples_of(visit)), valid;
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (visit.flags.size() != all.size()) return all;
  const bool disturbed = visit.stop_reason == "throttled" || visit.stop_reason == "unsteady";
  const std::int64_t out = disturbed ? kWarmup : kNotValid;
  std::ranges::copy_if(all, std::back_inserter(valid), [&](std::size_t i) { return (visit.flags[i] & out) == 0; });
  return valid.empty() ? all : valid;
}

std::vector<double> valid_times(const VisitRecord& visit) {
  const std::vector<double> all = sample_times(visit);
  std::vector<double> valid;
  for (const std::size_t i : valid_samples(visit)) valid.push_back(all[i]);
  return valid;
}

std::vector<double> start_skews(const VisitRecord& visit) {
  if (!has_starts(visit)) return {};
  const std::span<const double> starts = visit.rank_start_s;
  return per_sample(visit, [&](std::size_t first) {
    const auto [lo, hi] = std::ranges::minmax(starts.subspan(first, width_of(visit)));
    return hi - lo;
  });
}

}  // namespace bench::analysis
