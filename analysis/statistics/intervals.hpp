// SPDX-License-Identifier: Apache-2.0
// Intervals that hold without a distribution (order statistics) and with one (Student's t). Too few samples give no interval, never an
// infinite one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace bench::analysis {

struct Interval {
  double lo = 0.0, hi = 0.0;
  double confidence = 0.0;  // that is achieved; at least what was asked for when exact
};

/// 1-based ranks of the two order statistics that bound a quantile, and their exact coverage.
struct Ranks {
  std::int64_t lo = 0, hi = 0;
  double coverage = 0.0;
};

/// Ranks (r, n+1-r) with the largest r such that 1 - 2 P(X <= r-1) >= confidence, X ~ Bin(n, 1/2): the classic distribution-free interval of
/// the median (e.g. Hoefler & Belli, SC'15). nullopt when n is too small: below 6 at 95 %, below 8 at 99 %.
std::optional<Ranks> median_ranks(std::int64_t n, double confidence);

/// Ranks for quantile q: lo = the largest l with P(X <= l-1) <= (1-c)/2, hi = the smallest u with P(X >= u) <= (1-c)/2, X ~ Bin(n, q).
/// nullopt when either does not exist: a p99 needs n >= 368.
std::optional<Ranks> quantile_ranks(std::int64_t n, double q, double confidence);

/// Ranks (r, n+1-r) with r = floor((n - z sqrt(n tau)) / 2), for samples with integrated autocorrelation time tau; nullopt when r < 1.
std::optional<Ranks> widened_median_ranks(std::int64_t n, double tau, double confidence);

/// The median's interval for independent samples (exact ranks), or, when `tau` >= 1.2, with widened ranks.
std::optional<Interval> median_interval(std::span<const double> ascending, double confidence, double tau = 1.0);

/// mean +- t_{n-1} s / sqrt(n); nullopt for n < 2.
std::optional<Interval> mean_interval(std::span<const double> values, double confidence);

/// Two-sided quantiles of Student's t and of the standard normal: P(|X| <= value) = confidence.
double t_two_sided(double degrees_of_freedom, double confidence);
double z_two_sided(double confidence);

}  // namespace bench::analysis
