// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/stop.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/statistics/autocorrelation.hpp"
#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr double kSamplesPerTau = 20.0;  // fewer, and tau itself is not known
constexpr std::int64_t kFewestForInterval = 6, kFewest = 3;

bool is_checkpoint(std::int64_t n, const StopRule& rule) {
  std::int64_t checkpoint = rule.min_samples;
  while (checkpoint < n) checkpoint *= 2;
  return checkpoint == n;
}

bool has_converged(std::span<const double> samples, const StopRule& rule) {
  const double tau = effective_tau(samples);
  return static_cast<double>(samples.size()) >= kSamplesPerTau * tau && relative_half_width(samples, rule.confidence) <= rule.relative_half_width &&
         std::accumulate(samples.begin(), samples.end(), 0.0) >= rule.min_time_s;
}

}  // namespace

std::string_view to_text(StopReason reason) {
  constexpr std::array<std::string_view, 8> kNames{"keep_going", "converged", "max_samples", "budget", "drift", "unsteady", "throttled", "floor_limited"};
  return kNames[static_cast<std::size_t>(reason)];
}

double effective_tau(std::span<const double> samples) {
  const double tau = autocorrelation_time(samples);
  if (tau >= 1.2) return tau;
  const LjungBox test = ljung_box(samples, ljung_box_lags(static_cast<std::int64_t>(samples.size())));
  return test.p < 0.01 ? std::max(tau, 1.2) : 1.0;
}

double relative_half_width(std::span<const double> samples, double confidence) {
  const std::vector<double> ascending = sorted(samples);
  const std::optional<Interval> interval = median_interval(ascending, confidence, effective_tau(samples));
  const double middle = ascending.empty() ? 0.0 : median(ascending);
  if (!interval || middle <= 0.0) return std::numeric_limits<double>::infinity();
  return (interval->hi - interval->lo) / (2.0 * middle);
}

StopReason decide(std::span<const double> samples, double elapsed_s, const StopRule& rule) {
  const auto n = static_cast<std::int64_t>(samples.size());
  if (n == 0) return StopReason::keep_going;
  const bool look = is_checkpoint(n, rule) || n >= rule.max_samples;
  if (look && n >= rule.min_samples && has_converged(samples, rule)) return StopReason::converged;
  if (n >= rule.max_samples) return StopReason::max_samples;
  if (elapsed_s >= rule.budget_s) return StopReason::budget;
  return StopReason::keep_going;
}

std::int64_t next_batch(std::size_t taken, double elapsed_s, double per_sample_s, const StopRule& rule) {
  const auto n = static_cast<std::int64_t>(taken);
  std::int64_t checkpoint = rule.min_samples;
  while (checkpoint <= n) checkpoint *= 2;
  checkpoint = std::min(checkpoint, rule.max_samples);
  const double affordable = std::ceil(std::max(0.0, rule.budget_s - elapsed_s) / per_sample_s);
  const std::int64_t fewest = n > 0 ? 1 : per_sample_s > rule.budget_s ? kFewest : kFewestForInterval;
  const double wanted = std::min(static_cast<double>(checkpoint - n), std::max(affordable, static_cast<double>(fewest)));
  return std::max<std::int64_t>(1, std::min(static_cast<std::int64_t>(wanted), rule.max_samples - n));
}

}  // namespace bench::analysis
