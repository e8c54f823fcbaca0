// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/stop.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/quantiles.hpp"
#include "analysis/statistics/trend.hpp"

namespace bench::analysis {
namespace {

constexpr double kSamplesPerTau = 20.0;  // fewer, and tau itself is not known
constexpr double kDriftLevel = 0.01;
constexpr std::int64_t kFewestForInterval = 6, kFewest = 3;
constexpr double kShortestSeconds = 1e-9;  // a clock that stands still must not divide by zero

/// The first checkpoint min, 2 min, 4 min, ..., max that is at or above n.
std::int64_t checkpoint_from(std::int64_t n, const StopRule& rule) {
  std::int64_t checkpoint = std::max<std::int64_t>(1, rule.min_samples);
  while (checkpoint < n && checkpoint < rule.max_samples) checkpoint *= 2;
  return std::min(checkpoint, rule.max_samples);
}

bool has_converged(std::span<const double> samples, const StopRule& rule) {
  if (static_cast<double>(samples.size()) < kSamplesPerTau * effective_tau(samples)) return false;
  if (std::accumulate(samples.begin(), samples.end(), 0.0) < rule.min_time_s) return false;
  const std::optional<double> half = relative_half_width(samples, rule.confidence);
  return half && *half <= rule.relative_half_width && !is_drifting(samples, rule);
}

}  // namespace

std::string_view to_text(StopReason reason) {
  constexpr std::array<std::string_view, 8> kNames{"keep_going", "converged", "max_samples", "budget",
                                                   "drift",      "unsteady",  "throttled",   "floor_limited"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::optional<double> relative_half_width(std::span<const double> samples, double confidence) {
  const auto is_time = [](double x) { return std::isfinite(x) && x > 0.0; };
  if (!std::all_of(samples.begin(), samples.end(), is_time)) return std::nullopt;
  const std::vector<double> ascending = sorted(samples);
  const std::optional<Interval> interval = median_interval(ascending, confidence, effective_tau(samples));
  if (!interval) return std::nullopt;
  return (interval->hi - interval->lo) / (2.0 * median(ascending));
}

bool is_drifting(std::span<const double> samples, const StopRule& rule) {
  if (!rule.check_drift) return false;
  const double slope = theil_sen_slope(samples);
  // The test is for independent samples; n dependent ones are worth n / tau, and z grows with the root of that. A trend makes any series look
  // dependent, so tau is taken without it (the correction of Hamed & Rao 1998).
  std::vector<double> level(samples.begin(), samples.end());
  for (std::size_t i = 0; i < level.size(); ++i) level[i] -= slope * static_cast<double>(i);
  const double z = std::fabs(mann_kendall(samples).z) / std::sqrt(effective_tau(level));
  if (std::erfc(z / std::numbers::sqrt2) >= kDriftLevel) return false;
  return std::fabs(slope) * static_cast<double>(samples.size()) >= rule.relative_half_width * median(sorted(samples));
}

StopReason decide(std::span<const double> samples, double elapsed_s, const StopRule& rule) {
  const auto n = static_cast<std::int64_t>(samples.size());
  if (n == 0) return StopReason::keep_going;
  const bool look = n >= rule.min_samples && (n >= rule.max_samples || n == checkpoint_from(n, rule));
  if (look && has_converged(samples, rule)) return StopReason::converged;
  if (n >= rule.max_samples) return StopReason::max_samples;
  if (elapsed_s >= rule.budget_s) return StopReason::budget;
  return StopReason::keep_going;
}

std::int64_t next_batch(std::size_t taken, double elapsed_s, double per_sample_s, const StopRule& rule) {
  const auto n = static_cast<std::int64_t>(taken);
  const std::int64_t to_checkpoint = std::max<std::int64_t>(1, checkpoint_from(n + 1, rule) - n);
  const double left_s = std::max(0.0, rule.budget_s - elapsed_s);
  const double affordable = std::ceil(left_s / std::max(per_sample_s, kShortestSeconds));
  const std::int64_t at_first = per_sample_s > rule.budget_s ? kFewest : kFewestForInterval;
  const auto floor = static_cast<double>(n > 0 ? 1 : at_first);
  if (std::max(affordable, floor) >= static_cast<double>(to_checkpoint)) return to_checkpoint;
  return static_cast<std::int64_t>(std::max(affordable, floor));
}

}  // namespace bench::analysis
