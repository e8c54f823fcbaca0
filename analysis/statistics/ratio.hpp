// SPDX-License-Identifier: Apache-2.0
// The ratio of two times, and how sure it is.
#pragma once

#include <optional>
#include <span>

#include "analysis/statistics/intervals.hpp"

namespace bench::analysis {

/// A value with its interval, when there is one.
struct Estimate {
  double value = 0.0;
  std::optional<Interval> interval;
};

/// a / b from two values with intervals: [a.lo / b.hi, a.hi / b.lo]. Both intervals must hold at 1 - (1 - c)/2 for the ratio's to hold at c
/// (Bonferroni; no distribution assumed). No interval when either has none.
Estimate ratio(const Estimate& a, const Estimate& b, double confidence);

/// Geometric mean of visit times and t-interval on their logarithms: exp(mean ln T +- t_{n-1} s / sqrt n). No interval for fewer than 3 visits.
Estimate geometric_mean(std::span<const double> visits, double confidence);

/// Mean, sd and number of logs of one side, for the ratio of two independent sets of visits.
struct LogSide {
  double mean_log = 0.0, sd_log = 0.0;
  double n = 0.0;
};
LogSide log_side(std::span<const double> visits);
/// a / b by Welch on the log scale: se^2 = s_a^2/n_a + s_b^2/n_b, Welch-Satterthwaite degrees of freedom, ratio * exp(+- t se).
/// No interval when a side has fewer than 3 visits.
struct WelchRatio {
  Estimate estimate;
  double standard_error = 0.0, degrees_of_freedom = 0.0;
};
WelchRatio welch_ratio(const LogSide& a, const LogSide& b, double confidence);

}  // namespace bench::analysis
