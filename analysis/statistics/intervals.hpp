// SPDX-License-Identifier: Apache-2.0
// Intervals that hold without a distribution (order statistics) and with one (Student's t). Too few samples
// give no interval, never an infinite one. `confidence` is two-sided and in (0, 1); anything else throws
// Error(internal).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bench::analysis {

struct Interval {
  double lo = 0.0, hi = 0.0;
  double confidence = 0.0;  // achieved: at least what was asked for where it is exact
};

/// The interval, or nullopt when an end is not a finite number.
std::optional<Interval> finite_interval(double lo, double hi, double confidence);

/// 1-based ranks of the two order statistics that bound the median, and their coverage.
struct Ranks {
  std::int64_t lo = 0, hi = 0;
  double coverage = 0.0;
};

/// Ranks (r, n+1-r) with the largest r such that 1 - 2 P(X <= r-1) >= confidence, X ~ Bin(n, 1/2): the
/// classic distribution-free interval of the median (recommended by Hoefler & Belli, SC'15). nullopt when n
/// is too small: below 6 at 95 %, below 8 at 99 %.
std::optional<Ranks> median_ranks(std::int64_t n, double confidence);

/// Ranks (r, n+1-r) with r = floor((n - z sqrt(n tau)) / 2): the normal approximation for n / tau effective
/// samples, tau their integrated autocorrelation time (>= 1). The coverage is the nominal one.
/// nullopt when r < 1.
std::optional<Ranks> widened_median_ranks(std::int64_t n, double tau, double confidence);

/// Ranks that bound a quantile; a side that n samples cannot bound is absent. `coverage` counts it as
/// infinitely far.
struct QuantileRanks {
  std::optional<std::int64_t> lo, hi;
  double coverage = 0.0;
};

/// For quantile q in (0, 1): lo = the largest l with P(X <= l-1) <= (1-c)/2, hi = the smallest u with
/// P(X >= u) <= (1-c)/2, X ~ Bin(n, q).
/// At 95 % both exist from n = 6 (p50), 13 (p75), 36 (p90), 72 (p95), 368 (p99).
QuantileRanks quantile_ranks(std::int64_t n, double q, double confidence);

/// The median's interval: exact ranks for independent samples (tau = 1), widened ones for tau > 1.
std::optional<Interval> median_interval(std::span<const double> ascending, double confidence,
                                        double tau = 1.0);
/// A quantile's interval for independent samples; nullopt unless both sides are bounded.
std::optional<Interval> quantile_interval(std::span<const double> ascending, double q, double confidence);

/// mean +- t_{n-1} s / sqrt(n); nullopt for n < 2.
std::optional<Interval> mean_interval(std::span<const double> values, double confidence);

/// The fewest samples whose t interval of the mean is within +- `relative_half_width` of it, for a
/// coefficient of variation cv = s / mean: the smallest n >= 2 with t_{n-1} cv / sqrt(n) <= e
/// (Hoefler & Belli, SC'15).
std::int64_t samples_for_mean(double cv, double relative_half_width, double confidence);

/// Two-sided quantiles of Student's t and of the standard normal: P(|X| <= value) = confidence.
double t_two_sided(double degrees_of_freedom, double confidence);
double z_two_sided(double confidence);

}  // namespace bench::analysis
