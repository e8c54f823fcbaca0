// SPDX-License-Identifier: Apache-2.0
// The ratio of two times, and how sure it is. Two ways: without a distribution, from the intervals of two
// medians; and, when both sides were visited at least 3 times, by Welch's t on the logarithms of the visits
// (times vary by factors, and a ratio is a difference of logarithms). Times are positive.
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

/// What each of two intervals needs for both to hold together at confidence c: 1 - (1 - c) / 2 (Bonferroni).
double each_of_two(double confidence);

/// a / b in [a.lo / b.hi, a.hi / b.lo], at the confidence both hold together: a.c + b.c - 1 (Bonferroni, no
/// distribution assumed). No interval when a side has none, when that falls short of `confidence`, or when
/// b.lo <= 0.
Estimate ratio(const Estimate& a, const Estimate& b, double confidence);

/// Geometric mean of visit times and the t interval of their logarithms:
/// exp(mean ln T +- t_{n-1} s / sqrt(n)). No interval for fewer than 3 visits.
Estimate geometric_mean(std::span<const double> visits, double confidence);

/// Mean, sd and number of the logarithms of one side's visits.
/// From summary figures instead of visits: {ln T, s/T, n}.
struct LogSide {
  double mean_log = 0.0, sd_log = 0.0;
  double n = 0.0;
};
LogSide log_side(std::span<const double> visits);

struct WelchRatio {
  Estimate estimate;
  double standard_error = 0.0;      // of ln(a/b), i.e. relative
  double degrees_of_freedom = 0.0;  // 0: no interval
};
/// a / b with u = ln a - ln b, se^2 = s_a^2/n_a + s_b^2/n_b, degrees of freedom by Welch & Satterthwaite
/// (1947), interval exp(u +- t se). No interval when a side has fewer than 3 visits.
WelchRatio welch_ratio(const LogSide& a, const LogSide& b, double confidence);

/// The one right mean of rates: total work over total time, for samples of equal work. (The arithmetic mean
/// of rates weighs short samples too much; rule 3 of Hoefler & Belli, SC'15.)
double total_rate(double work_per_sample, std::span<const double> times_s);

}  // namespace bench::analysis
