// SPDX-License-Identifier: Apache-2.0
// Every figure of one series of times, in one struct.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "analysis/statistics/autocorrelation.hpp"
#include "analysis/statistics/intervals.hpp"
#include "analysis/statistics/normality.hpp"
#include "analysis/statistics/trend.hpp"

namespace bench::analysis {

/// Values beyond Tukey's fences (1977), q1 - k IQR and q3 + k IQR: mild past k = 1.5, severe past k = 3. They
/// are counted, never dropped.
struct OutlierCounts {
  std::int64_t low_severe = 0, low_mild = 0, high_mild = 0, high_severe = 0;
};
OutlierCounts outliers(std::span<const double> ascending);

/// Times in the unit of the samples. Figures that do not exist are NaN (`invalid` series, no samples) or an
/// absent interval (too few samples); never 0, never infinite.
struct Summary {
  static constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

  std::int64_t n = 0, n_valid = 0;  // valid: finite and above 0
  bool invalid = false;             // some value is not valid, or there is none: no figure below is given
  double min = kNone, max = kNone;
  double mean = kNone, sd = kNone, cv = kNone;  // Welford; sd with n-1, NaN for n = 1; cv = sd / mean
  double median = kNone;
  double mad = kNone, madn = kNone;
  double q05 = kNone, q25 = kNone, q75 = kNone, q90 = kNone, q95 = kNone, q99 = kNone;  // type 7
  OutlierCounts outliers;
  double lag1 = kNone;                      // autocorrelation at lag 1
  double tau = kNone;                       // autocorrelation_time; n / tau is the effective sample size
  LjungBox ljung_box;                       // over min(10, n/5) lags
  MannKendall trend;                        // does the series move?
  double slope = kNone;                     // Theil-Sen, per sample
  RunsTest runs;                            // about the median
  Pettitt change;                           // the most likely single change of level
  std::optional<ShapiroWilk> normality;     // of 3 to 5000 samples
  bool mean_interval_is_valid = false;      // Shapiro-Wilk's p is 5 % or more, or the samples are worth 100
  std::optional<Interval> median_interval;  // order statistics, widened when the samples are dependent
  std::optional<Interval> mean_interval;    // Student's t: for normal data, or n / tau of 100 and more
  std::optional<Interval> q90_interval, q95_interval, q99_interval;  // absent for dependent samples
};

/// Summarises positive samples in the order they were taken.
Summary summarise(std::span<const double> samples, double confidence = 0.95);

}  // namespace bench::analysis
