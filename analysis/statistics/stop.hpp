// SPDX-License-Identifier: Apache-2.0
// When to stop sampling: a pure function of what was seen, so that it is tested without a clock.
//
// Looks are few on purpose (n = 32, 64, 128, ...): looking after every sample and stopping at the first narrow interval makes intervals that
// cover less than they say. At a look the rule stops with `converged` when
//   h <= eps, h = (x_(n+1-r) - x_(r)) / (2 median), with r widened by the autocorrelation time tau,
//   n >= 20 tau, and the samples add up to at least min_time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace bench::analysis {

struct StopRule {
  double relative_half_width = 0.02;  // eps
  double confidence = 0.95;
  std::int64_t min_samples = 32;
  std::int64_t max_samples = 1024;
  double min_time_s = 0.1;
  double budget_s = 15.0;
};

enum class StopReason : std::uint8_t { keep_going, converged, max_samples, budget, drift, unsteady, throttled, floor_limited };
std::string_view to_text(StopReason reason);

/// Samples are dependent enough to widen the interval when tau >= 1.2 or Ljung-Box rejects independence at 1 %; else 1 is returned.
double effective_tau(std::span<const double> samples);
/// The relative half width h at this point; infinity when there are too few samples for an interval.
double relative_half_width(std::span<const double> samples, double confidence);

/// Whether to stop now. `samples` in the order they were taken, `elapsed_s` since the first began.
StopReason decide(std::span<const double> samples, double elapsed_s, const StopRule& rule);
/// How many samples to take before the next look: up to the next checkpoint, or as many as the budget still holds at `per_sample_s`, at least 1.
/// The first batch is at least 6 (fewer give no interval), unless a sample alone takes more than the budget: then 3.
std::int64_t next_batch(std::size_t taken, double elapsed_s, double per_sample_s, const StopRule& rule);

}  // namespace bench::analysis
