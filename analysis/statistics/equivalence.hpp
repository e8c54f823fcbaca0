// SPDX-License-Identifier: Apache-2.0
// Two programs by the times of their launches: is the ratio told from 1, is it close enough to 1 to count as
// the same, and how many launches would tell? "Not significantly different" is not "the same": that takes a
// test of its own (two one-sided tests, Schuirmann 1987).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

/// Two one-sided tests at 5 % each look at the interval at 90 %.
inline constexpr double kEquivalenceConfidence = 0.90;

struct LaunchRatio {
  Estimate ratio;                       // after / before, by Welch's t on the logarithms
  std::optional<Interval> equivalence;  // the same at 90 %
  double standard_error = 0.0;          // of ln(after / before)
  double degrees_of_freedom = 0.0;
  double sd_log = 0.0;  // of one launch, pooled over both sides: about its coefficient of variation
  double p = 1.0;       // two-sided, that the ratio is 1
};

/// One positive time a launch, in any unit. Fewer than 3 launches on a side: the ratio only, no interval and
/// p NaN. A time that is not finite and positive: everything NaN. Launches that do not vary: intervals of no
/// width, and p 0 or 1.
LaunchRatio launch_ratio(std::span<const double> before, std::span<const double> after, double confidence);

/// Whether the interval lies inside the band [1 / (1 + margin), 1 + margin]; false without an interval.
bool inside_band(const std::optional<Interval>& interval, double margin);

/// The p of the two one-sided tests that the ratio is outside that band: the larger of both. Below 5 %
/// exactly when inside_band(equivalence, margin). NaN where p is.
double equivalence_p(const LaunchRatio& launches, double margin);

/// The true difference of the mean logarithms, in units of the launch sd, that a two-sided Welch test of
/// `launches` a side finds with the given power: from the non-central t with 2 K - 2 degrees of freedom. At
/// power 0.8, alpha 5 %: 3.07 for 3 launches, 2.02 for 5, 1.32 for 10. `launches` >= 2.
double detectable_in_sds(std::int64_t launches, double power = 0.8, double alpha = 0.05);

/// The same as a change of the time: exp(detectable_in_sds sd_log) - 1, e.g. 0.05 for 5 % slower.
double smallest_detectable_effect(double sd_log, std::int64_t launches, double power = 0.8,
                                  double alpha = 0.05);

/// The fewest launches a side, 3 or more, that find a change of 1 + delta with the given power. About
/// 2 ((z_{1-alpha/2} + z_power) sd_log / delta)^2 = 2 (2.8 cv / delta)^2, and one or two more when that is
/// small, as t then is wider than z. delta > 0 and sd_log >= 0, or Error(internal).
std::int64_t launches_needed(double sd_log, double delta, double power = 0.8, double alpha = 0.05);

}  // namespace bench::analysis
