// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/equivalence.hpp"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <limits>

#include "analysis/statistics/welch.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kFewestLaunches = 3;
/// From here on Student's t and the normal need the same number of launches to within 1 %.
constexpr std::int64_t kManyLaunches = 200;
constexpr double kSurelySeen = 100.0;  // launch sds; the non-central t is not computed further out

bool usable(std::span<const double> times) {
  return !times.empty() && std::ranges::all_of(times, [](double t) { return std::isfinite(t) && t > 0.0; });
}

double pooled_sd(const LogSide& a, const LogSide& b) {
  const double freedom = a.n + b.n - 2.0;
  if (freedom <= 0.0) return 0.0;
  return std::sqrt(((a.n - 1.0) * a.sd_log * a.sd_log + (b.n - 1.0) * b.sd_log * b.sd_log) / freedom);
}

/// P(T > t) for a difference that may be exact (standard error 0).
double upper_tail(double difference, double standard_error, double degrees_of_freedom) {
  if (standard_error <= 0.0) return difference > 0.0 ? 0.0 : 1.0;
  const boost::math::students_t_distribution<double> distribution(degrees_of_freedom);
  return boost::math::cdf(boost::math::complement(distribution, difference / standard_error));
}

void require_shares(double power, double alpha) {
  BS_REQUIRE(power > 0.0 && power < 1.0, "power lies between 0 and 1, not at ", power);
  BS_REQUIRE(alpha > 0.0 && alpha < 1.0, "alpha lies between 0 and 1, not at ", alpha);
}

/// The chance that a t test calls a difference of `sds` launch sds, in the right direction.
double power_of(double sds, double launches, double alpha) {
  const double freedom = 2.0 * launches - 2.0;
  const boost::math::non_central_t_distribution<double> distribution(freedom,
                                                                     sds * std::sqrt(launches / 2.0));
  return boost::math::cdf(boost::math::complement(distribution, t_two_sided(freedom, 1.0 - alpha)));
}

double normal_launches(double sd_log, double effect, double power, double alpha) {
  const boost::math::normal_distribution<double> z;
  const double sum = z_two_sided(1.0 - alpha) + boost::math::quantile(z, power);
  return 2.0 * std::pow(sum * sd_log / effect, 2.0);
}

}  // namespace

LaunchRatio launch_ratio(std::span<const double> before, std::span<const double> after, double confidence) {
  if (!usable(before) || !usable(after)) return {{kNaN, std::nullopt}, std::nullopt, kNaN, kNaN, kNaN, kNaN};
  const LogSide old_side = log_side(before), new_side = log_side(after);
  const WelchRatio welch = welch_ratio(new_side, old_side, confidence);
  LaunchRatio result{welch.estimate,
                     std::nullopt,
                     welch.standard_error,
                     welch.degrees_of_freedom,
                     pooled_sd(old_side, new_side),
                     kNaN};
  if (!welch.estimate.interval) return result;
  result.equivalence = welch_ratio(new_side, old_side, kEquivalenceConfidence).estimate.interval;
  const double difference = new_side.mean_log - old_side.mean_log;
  result.p =
      t_two_sided_p(difference == 0.0 ? 0.0 : difference / welch.standard_error, welch.degrees_of_freedom);
  return result;
}

bool inside_band(const std::optional<Interval>& interval, double margin) {
  return interval && interval->lo >= 1.0 / (1.0 + margin) && interval->hi <= 1.0 + margin;
}

double equivalence_p(const LaunchRatio& launches, double margin) {
  if (!launches.equivalence) return kNaN;
  const double difference = std::log(launches.ratio.value), room = std::log1p(margin);
  return std::max(upper_tail(room - difference, launches.standard_error, launches.degrees_of_freedom),
                  upper_tail(difference + room, launches.standard_error, launches.degrees_of_freedom));
}

double detectable_in_sds(std::int64_t launches, double power, double alpha) {
  require_shares(power, alpha);
  BS_REQUIRE(launches >= 2, "a spread needs two launches a side, not ", launches);
  const auto count = static_cast<double>(launches);
  double low = 0.0, high = 1.0;
  while (power_of(high, count, alpha) < power) high *= 2.0;
  for (int halving = 0; halving < 50; ++halving) {
    const double middle = (low + high) / 2.0;
    (power_of(middle, count, alpha) < power ? low : high) = middle;
  }
  return high;
}

double smallest_detectable_effect(double sd_log, std::int64_t launches, double power, double alpha) {
  BS_REQUIRE(sd_log >= 0.0, "a standard deviation is not negative: ", sd_log);
  return std::expm1(detectable_in_sds(launches, power, alpha) * sd_log);
}

std::int64_t launches_needed(double sd_log, double delta, double power, double alpha) {
  require_shares(power, alpha);
  BS_REQUIRE(delta > 0.0 && sd_log >= 0.0, "launches are counted for a change above 0, not ", delta);
  if (sd_log == 0.0) return kFewestLaunches;
  const double effect = std::log1p(delta);
  const double many = std::ceil(normal_launches(sd_log, effect, power, alpha));
  constexpr double kMostLaunches = 1e15;  // what a double counts, and more than anyone starts
  if (many > static_cast<double>(kManyLaunches))
    return static_cast<std::int64_t>(std::min(many, kMostLaunches));
  auto count = std::max(kFewestLaunches, static_cast<std::int64_t>(many));
  const double sds = std::min(effect / sd_log, kSurelySeen);
  while (power_of(sds, static_cast<double>(count), alpha) < power) ++count;
  return count;
}

}  // namespace bench::analysis
