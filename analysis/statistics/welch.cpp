// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/welch.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "analysis/statistics/moments.hpp"

namespace bench::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Sample {
  double mean = 0.0, variance = 0.0, n = 0.0;
  double of_mean() const { return variance / n; }
};

bool usable(std::span<const double> values) {
  return values.size() >= 2 && std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
}

Sample sample_of(std::span<const double> values) {
  const Moments moments = moments_of(values);
  return {moments.mean, moments.sd * moments.sd, static_cast<double>(values.size())};
}

double pooled_variance(const Sample& a, const Sample& b) {
  return ((a.n - 1.0) * a.variance + (b.n - 1.0) * b.variance) / (a.n + b.n - 2.0);
}

/// Degrees of freedom of va + vb, each the variance of a mean.
double satterthwaite(double va, double na, double vb, double nb) {
  const double spread = va * va / (na - 1.0) + vb * vb / (nb - 1.0);
  return spread > 0.0 ? (va + vb) * (va + vb) / spread : na + nb - 2.0;
}

MeanTest unknown() {
  return {kNaN, kNaN, kNaN, {kNaN, std::nullopt}};
}

MeanTest test(double difference, double standard_error, double degrees_of_freedom, double confidence) {
  const double t = difference == 0.0 ? 0.0 : difference / standard_error;
  const double half = t_two_sided(degrees_of_freedom, confidence) * standard_error;
  return {t,
          degrees_of_freedom,
          t_two_sided_p(t, degrees_of_freedom),
          {difference, finite_interval(difference - half, difference + half, confidence)}};
}

}  // namespace

double t_two_sided_p(double t, double degrees_of_freedom) {
  if (std::isnan(t) || std::isnan(degrees_of_freedom)) return kNaN;
  if (std::isinf(t)) return 0.0;
  const boost::math::students_t_distribution<double> distribution(degrees_of_freedom);
  return 2.0 * boost::math::cdf(boost::math::complement(distribution, std::abs(t)));
}

MeanTest welch_t(std::span<const double> a, std::span<const double> b, double confidence) {
  if (!usable(a) || !usable(b)) return unknown();
  const Sample sa = sample_of(a), sb = sample_of(b);
  const double va = sa.of_mean(), vb = sb.of_mean();
  return test(sa.mean - sb.mean, std::sqrt(va + vb), satterthwaite(va, sa.n, vb, sb.n), confidence);
}

MeanTest pooled_t(std::span<const double> a, std::span<const double> b, double confidence) {
  if (!usable(a) || !usable(b)) return unknown();
  const Sample sa = sample_of(a), sb = sample_of(b);
  const double error = std::sqrt(pooled_variance(sa, sb) * (1.0 / sa.n + 1.0 / sb.n));
  return test(sa.mean - sb.mean, error, sa.n + sb.n - 2.0, confidence);
}

double cohens_d(std::span<const double> a, std::span<const double> b) {
  if (!usable(a) || !usable(b)) return kNaN;
  const Sample sa = sample_of(a), sb = sample_of(b);
  if (sa.mean == sb.mean) return 0.0;
  const double sd = std::sqrt(pooled_variance(sa, sb));
  return sd > 0.0 ? (sa.mean - sb.mean) / sd : kNaN;
}

double hedges_g(std::span<const double> a, std::span<const double> b) {
  const double d = cohens_d(a, b);
  const double freedom = static_cast<double>(a.size() + b.size()) - 2.0;
  if (std::isnan(d) || freedom < 2.0) return kNaN;
  return d * (1.0 - 3.0 / (4.0 * freedom - 1.0));
}

FiellerRatio fieller(std::span<const double> a, std::span<const double> b, double confidence) {
  if (!usable(a) || !usable(b)) return {{kNaN, std::nullopt}, kNaN};
  const Sample sa = sample_of(a), sb = sample_of(b);
  const double r = sa.mean / sb.mean;
  const double va = sa.of_mean(), vb = sb.of_mean();
  if (!std::isfinite(r)) return {{kNaN, std::nullopt}, kNaN};
  FiellerRatio result{{r, std::nullopt}, satterthwaite(va, sa.n, r * r * vb, sb.n)};
  const double t = t_two_sided(result.degrees_of_freedom, confidence);
  const double g = t * t * vb / (sb.mean * sb.mean);
  if (g >= 1.0) return result;
  const double half = t / std::abs(sb.mean) * std::sqrt(va + r * r * vb - g * va) / (1.0 - g);
  const double middle = r / (1.0 - g);
  result.estimate.interval = finite_interval(middle - half, middle + half, confidence);
  return result;
}

}  // namespace bench::analysis
