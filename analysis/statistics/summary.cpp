// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/summary.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr double kNormal = 0.05;             // Shapiro-Wilk's p
constexpr double kEnoughForTheMean = 100.0;  // independent samples: the mean of so many is nearly normal
constexpr double kMildFence = 1.5, kSevereFence = 3.0;  // in interquartile ranges

void add_quantiles(Summary& s, std::span<const double> ascending) {
  s.min = ascending.front();
  s.max = ascending.back();
  s.median = median(ascending);
  s.mad = median_absolute_deviation(ascending);
  s.madn = kMadToSd * s.mad;
  s.q05 = quantile(ascending, 0.05);
  s.q25 = quantile(ascending, 0.25);
  s.q75 = quantile(ascending, 0.75);
  s.q90 = quantile(ascending, 0.90);
  s.q95 = quantile(ascending, 0.95);
  s.q99 = quantile(ascending, 0.99);
  s.outliers = outliers(ascending);
}

void add_moments(Summary& s, std::span<const double> samples) {
  const Moments moments = moments_of(samples);
  s.mean = moments.mean;
  if (samples.size() < 2) return;
  s.sd = moments.sd;
  s.cv = moments.sd / moments.mean;
}

void add_intervals(Summary& s, std::span<const double> samples, std::span<const double> ascending,
                   double confidence) {
  const double widening = effective_tau(samples, s.tau, s.ljung_box);
  s.median_interval = median_interval(ascending, confidence, widening);
  s.mean_interval = mean_interval(samples, confidence);
  if (widening > 1.0) return;  // their exact ranks need independent samples
  s.q90_interval = quantile_interval(ascending, 0.90, confidence);
  s.q95_interval = quantile_interval(ascending, 0.95, confidence);
  s.q99_interval = quantile_interval(ascending, 0.99, confidence);
}

}  // namespace

OutlierCounts outliers(std::span<const double> ascending) {
  const double q1 = quantile(ascending, 0.25), q3 = quantile(ascending, 0.75);
  const auto below = [&](double fence) { return q1 - fence * (q3 - q1); };
  const auto above = [&](double fence) { return q3 + fence * (q3 - q1); };
  OutlierCounts counts;
  for (const double x : ascending) {
    if (x < below(kSevereFence))
      ++counts.low_severe;
    else if (x < below(kMildFence))
      ++counts.low_mild;
    else if (x > above(kSevereFence))
      ++counts.high_severe;
    else if (x > above(kMildFence))
      ++counts.high_mild;
  }
  return counts;
}

Summary summarise(std::span<const double> samples, double confidence) {
  Summary s;
  s.n = static_cast<std::int64_t>(samples.size());
  s.n_valid =
      std::count_if(samples.begin(), samples.end(), [](double x) { return std::isfinite(x) && x > 0.0; });
  s.invalid = s.n == 0 || s.n_valid < s.n;
  if (s.invalid) return s;
  const std::vector<double> ascending = sorted(samples);
  add_quantiles(s, ascending);
  add_moments(s, samples);
  s.lag1 = autocorrelation(samples, 1);
  s.tau = autocorrelation_time(samples);
  s.ljung_box = ljung_box(samples, ljung_box_lags(s.n));
  s.trend = mann_kendall(samples);
  s.slope = theil_sen_slope(samples);
  s.runs = runs_test(samples, s.median);
  s.change = pettitt(samples);
  s.normality = shapiro_wilk(ascending);
  s.mean_interval_is_valid =
      (s.normality && s.normality->p >= kNormal) || static_cast<double>(s.n) / s.tau >= kEnoughForTheMean;
  add_intervals(s, samples, ascending, confidence);
  return s;
}

}  // namespace bench::analysis
