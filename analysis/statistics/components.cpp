// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/components.hpp"

#include <algorithm>
#include <boost/math/distributions/fisher_f.hpp>
#include <cmath>
#include <limits>

#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/moments.hpp"

namespace bench::analysis {
namespace {

/// Sums over launches; `all` holds every sample.
struct Sums {
  std::vector<double> all, means;
  double within = 0.0, between = 0.0;  // sums of squares
  double squared_sizes = 0.0;
};

Sums sums_of(std::span<const std::vector<double>> launches) {
  Sums sums;
  for (const std::vector<double>& launch : launches) {
    const Moments moments = moments_of(launch);
    const auto n = static_cast<double>(launch.size());
    sums.all.insert(sums.all.end(), launch.begin(), launch.end());
    sums.means.push_back(moments.mean);
    sums.within += (n - 1.0) * moments.sd * moments.sd;
    sums.squared_sizes += n * n;
  }
  const double grand = moments_of(sums.all).mean;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const double apart = sums.means[i] - grand;
    sums.between += static_cast<double>(launches[i].size()) * apart * apart;
  }
  return sums;
}

bool usable(std::span<const std::vector<double>> launches) {
  const auto finite = [](double x) { return std::isfinite(x); };
  const auto sound = [&](const std::vector<double>& launch) {
    return !launch.empty() && std::ranges::all_of(launch, finite);
  };
  const auto repeated = [](const std::vector<double>& launch) { return launch.size() > 1; };
  return launches.size() >= 2 && std::ranges::all_of(launches, sound) &&
         std::ranges::any_of(launches, repeated);
}

double half_width(std::span<const double> values, double confidence) {
  const auto n = static_cast<double>(values.size());
  return t_two_sided(n - 1.0, confidence) * moments_of(values).sd / std::sqrt(n);
}

/// P(F >= f); nothing varies: 1, only launches vary: 0.
double f_tail(double f, double between_freedom, double within_freedom) {
  if (std::isinf(f)) return 0.0;
  const boost::math::fisher_f_distribution<double> distribution(between_freedom, within_freedom);
  return boost::math::cdf(boost::math::complement(distribution, f));
}

}  // namespace

std::optional<Components> launch_components(std::span<const std::vector<double>> launches,
                                            double confidence) {
  if (!usable(launches)) return std::nullopt;
  const Sums sums = sums_of(launches);
  const auto k = static_cast<double>(launches.size()), n = static_cast<double>(sums.all.size());
  Components c;
  c.mean = moments_of(sums.means).mean;
  c.ms_between = sums.between / (k - 1.0);
  c.ms_within = sums.within / (n - k);
  if (c.ms_between > 0.0) {
    c.f = c.ms_within > 0.0 ? c.ms_between / c.ms_within : std::numeric_limits<double>::infinity();
  }
  c.p = f_tail(c.f, k - 1.0, n - k);
  const double per_launch = (n - sums.squared_sizes / n) / (k - 1.0);
  const double whole = c.ms_between + (per_launch - 1.0) * c.ms_within;
  if (whole > 0.0) c.icc = (c.ms_between - c.ms_within) / whole;
  c.design_effect = 1.0 + (per_launch - 1.0) * std::max(c.icc, 0.0);
  c.launch_half_width = half_width(sums.means, confidence);
  c.naive_half_width = half_width(sums.all, confidence);
  return c;
}

}  // namespace bench::analysis
