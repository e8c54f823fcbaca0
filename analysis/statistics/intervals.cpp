// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/intervals.hpp"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "analysis/statistics/moments.hpp"

namespace bench::analysis {
namespace {

using Binomial = boost::math::binomial_distribution<double>;

/// P(X <= k), also for k below 0 and at or above n.
double at_most(std::int64_t k, std::int64_t n, double q) {
  if (k < 0) return 0.0;
  if (k >= n) return 1.0;
  return boost::math::cdf(Binomial(static_cast<double>(n), q), static_cast<double>(k));
}

/// P(X >= k).
double at_least(std::int64_t k, std::int64_t n, double q) {
  if (k <= 0) return 1.0;
  if (k > n) return 0.0;
  return boost::math::cdf(boost::math::complement(Binomial(static_cast<double>(n), q), static_cast<double>(k - 1)));
}

}  // namespace

double t_two_sided(double degrees_of_freedom, double confidence) {
  return boost::math::quantile(boost::math::students_t_distribution<double>(degrees_of_freedom), 0.5 + confidence / 2.0);
}

double z_two_sided(double confidence) { return boost::math::quantile(boost::math::normal_distribution<double>(), 0.5 + confidence / 2.0); }

std::optional<Ranks> median_ranks(std::int64_t n, double confidence) {
  std::optional<Ranks> best;
  for (std::int64_t r = 1; 2 * r <= n; ++r) {
    const double coverage = 1.0 - 2.0 * at_most(r - 1, n, 0.5);
    if (coverage < confidence) break;
    best = Ranks{r, n + 1 - r, coverage};
  }
  return best;
}

std::optional<Ranks> quantile_ranks(std::int64_t n, double q, double confidence) {
  const double tail = (1.0 - confidence) / 2.0;
  std::int64_t lo = 0, hi = n + 1;
  while (lo + 1 <= n && at_most(lo, n, q) <= tail) ++lo;
  while (hi - 1 >= 1 && at_least(hi - 1, n, q) <= tail) --hi;
  if (lo < 1 || hi > n) return std::nullopt;
  return Ranks{lo, hi, at_most(hi - 1, n, q) - at_most(lo - 1, n, q)};
}

std::optional<Ranks> widened_median_ranks(std::int64_t n, double tau, double confidence) {
  const auto count = static_cast<double>(n);
  const auto r = static_cast<std::int64_t>(std::floor((count - z_two_sided(confidence) * std::sqrt(count * tau)) / 2.0));
  if (r < 1) return std::nullopt;
  return Ranks{r, n + 1 - r, confidence};
}

std::optional<Interval> median_interval(std::span<const double> ascending, double confidence, double tau) {
  const auto n = static_cast<std::int64_t>(ascending.size());
  const std::optional<Ranks> ranks = tau < 1.2 ? median_ranks(n, confidence) : widened_median_ranks(n, tau, confidence);
  if (!ranks) return std::nullopt;
  return Interval{ascending[static_cast<std::size_t>(ranks->lo - 1)], ascending[static_cast<std::size_t>(ranks->hi - 1)], ranks->coverage};
}

std::optional<Interval> mean_interval(std::span<const double> values, double confidence) {
  if (values.size() < 2) return std::nullopt;
  const Moments moments = moments_of(values);
  const auto n = static_cast<double>(values.size());
  const double half = t_two_sided(n - 1.0, confidence) * moments.sd / std::sqrt(n);
  return Interval{moments.mean - half, moments.mean + half, confidence};
}

}  // namespace bench::analysis
