// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/intervals.hpp"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "analysis/statistics/moments.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

using Binomial = boost::math::binomial_distribution<double>;

void require_confidence(double confidence) {
  BS_REQUIRE(confidence > 0.0 && confidence < 1.0, "a confidence lies between 0 and 1, not at ", confidence);
}

/// P(X <= k) for X ~ Bin(n, q), also for k below 0 and at or above n.
double at_most(std::int64_t k, std::int64_t n, double q) {
  if (k < 0) return 0.0;
  if (k >= n) return 1.0;
  return boost::math::cdf(Binomial(static_cast<double>(n), q), static_cast<double>(k));
}

/// P(X >= k).
double at_least(std::int64_t k, std::int64_t n, double q) {
  if (k <= 0) return 1.0;
  if (k > n) return 0.0;
  const Binomial binomial(static_cast<double>(n), q);
  return boost::math::cdf(boost::math::complement(binomial, static_cast<double>(k - 1)));
}

/// The largest k in [1, n] with holds(k), true up to some k and false above; 0 when it never holds.
template <class Predicate>
std::int64_t last_that(std::int64_t n, Predicate&& holds) {
  std::int64_t known = 0, above = n + 1;
  while (above - known > 1) {
    const std::int64_t middle = known + (above - known) / 2;
    (holds(middle) ? known : above) = middle;
  }
  return known;
}

double at_rank(std::span<const double> ascending, std::int64_t rank) {
  return ascending[static_cast<std::size_t>(rank - 1)];
}

}  // namespace

std::optional<Interval> finite_interval(double lo, double hi, double confidence) {
  if (!std::isfinite(lo) || !std::isfinite(hi)) return std::nullopt;
  return Interval{lo, hi, confidence};
}

double t_two_sided(double degrees_of_freedom, double confidence) {
  require_confidence(confidence);
  const boost::math::students_t_distribution<double> t(degrees_of_freedom);
  return boost::math::quantile(boost::math::complement(t, 0.5 - confidence / 2.0));
}

double z_two_sided(double confidence) {
  require_confidence(confidence);
  const boost::math::normal_distribution<double> z;
  return boost::math::quantile(boost::math::complement(z, 0.5 - confidence / 2.0));
}

std::optional<Ranks> median_ranks(std::int64_t n, double confidence) {
  require_confidence(confidence);
  const auto coverage = [n](std::int64_t r) { return 1.0 - 2.0 * at_most(r - 1, n, 0.5); };
  const std::int64_t r = last_that(n / 2, [&](std::int64_t rank) { return coverage(rank) >= confidence; });
  if (r < 1) return std::nullopt;
  return Ranks{r, n + 1 - r, coverage(r)};
}

std::optional<Ranks> widened_median_ranks(std::int64_t n, double tau, double confidence) {
  const auto count = static_cast<double>(n);
  const double spread = z_two_sided(confidence) * std::sqrt(count * std::max(1.0, tau));
  const auto r = static_cast<std::int64_t>(std::floor((count - spread) / 2.0));
  if (r < 1) return std::nullopt;
  return Ranks{r, n + 1 - r, confidence};
}

QuantileRanks quantile_ranks(std::int64_t n, double q, double confidence) {
  require_confidence(confidence);
  BS_REQUIRE(q > 0.0 && q < 1.0, "ranks bound a quantile between 0 and 1, not ", q);
  const double tail = (1.0 - confidence) / 2.0;
  const std::int64_t lo = last_that(n, [&](std::int64_t l) { return at_most(l - 1, n, q) <= tail; });
  const std::int64_t hi = 1 + last_that(n, [&](std::int64_t u) { return at_least(u, n, q) > tail; });
  QuantileRanks ranks;
  if (lo >= 1) ranks.lo = lo;
  if (hi <= n) ranks.hi = hi;
  ranks.coverage = (ranks.hi ? at_most(hi - 1, n, q) : 1.0) - (ranks.lo ? at_most(lo - 1, n, q) : 0.0);
  return ranks;
}

std::optional<Interval> median_interval(std::span<const double> ascending, double confidence, double tau) {
  const auto n = static_cast<std::int64_t>(ascending.size());
  const auto ranks = tau > 1.0 ? widened_median_ranks(n, tau, confidence) : median_ranks(n, confidence);
  if (!ranks) return std::nullopt;
  return finite_interval(at_rank(ascending, ranks->lo), at_rank(ascending, ranks->hi), ranks->coverage);
}

std::optional<Interval> quantile_interval(std::span<const double> ascending, double q, double confidence) {
  const QuantileRanks ranks = quantile_ranks(static_cast<std::int64_t>(ascending.size()), q, confidence);
  if (!ranks.lo || !ranks.hi) return std::nullopt;
  return finite_interval(at_rank(ascending, *ranks.lo), at_rank(ascending, *ranks.hi), ranks.coverage);
}

std::optional<Interval> mean_interval(std::span<const double> values, double confidence) {
  if (values.size() < 2) return std::nullopt;
  const Moments moments = moments_of(values);
  const auto n = static_cast<double>(values.size());
  const double half = t_two_sided(n - 1.0, confidence) * moments.sd / std::sqrt(n);
  return finite_interval(moments.mean - half, moments.mean + half, confidence);
}

std::int64_t samples_for_mean(double cv, double relative_half_width, double confidence) {
  BS_REQUIRE(cv >= 0.0 && relative_half_width > 0.0, "a half width is positive and a cv is not negative");
  const double with_z = z_two_sided(confidence) * cv / relative_half_width;  // sqrt(n) if the sd were known
  auto n = std::max<std::int64_t>(2, static_cast<std::int64_t>(with_z * with_z));
  const auto half = [&](double count) {
    return t_two_sided(count - 1.0, confidence) * cv / std::sqrt(count);
  };
  while (half(static_cast<double>(n)) > relative_half_width) ++n;
  return n;
}

}  // namespace bench::analysis
