// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/ratio.hpp"

#include <cmath>
#include <numeric>
#include <vector>

#include "analysis/statistics/moments.hpp"

namespace bench::analysis {
namespace {

constexpr double kFewestVisits = 3.0;
constexpr double kRounding = 1e-12;  // of 1 - (1 - c)/2 twice, taken from 1

/// value * exp(+- half).
std::optional<Interval> around(double value, double half, double confidence) {
  return finite_interval(value * std::exp(-half), value * std::exp(half), confidence);
}

}  // namespace

double each_of_two(double confidence) {
  return 1.0 - (1.0 - confidence) / 2.0;
}

Estimate ratio(const Estimate& a, const Estimate& b, double confidence) {
  Estimate result{a.value / b.value, std::nullopt};
  if (!a.interval || !b.interval || b.interval->lo <= 0.0) return result;
  const double together = a.interval->confidence + b.interval->confidence - 1.0;
  if (together < confidence - kRounding) return result;
  result.interval =
      finite_interval(a.interval->lo / b.interval->hi, a.interval->hi / b.interval->lo, together);
  return result;
}

LogSide log_side(std::span<const double> visits) {
  std::vector<double> logs;
  logs.reserve(visits.size());
  for (const double time : visits) logs.push_back(std::log(time));
  const Moments moments = moments_of(logs);
  return {moments.mean, moments.sd, static_cast<double>(visits.size())};
}

Estimate geometric_mean(std::span<const double> visits, double confidence) {
  const LogSide side = log_side(visits);
  Estimate result{std::exp(side.mean_log), std::nullopt};
  if (side.n < kFewestVisits) return result;
  const double half = t_two_sided(side.n - 1.0, confidence) * side.sd_log / std::sqrt(side.n);
  result.interval = around(result.value, half, confidence);
  return result;
}

WelchRatio welch_ratio(const LogSide& a, const LogSide& b, double confidence) {
  WelchRatio result{{std::exp(a.mean_log - b.mean_log), std::nullopt}, 0.0, 0.0};
  if (a.n < kFewestVisits || b.n < kFewestVisits) return result;
  const double va = a.sd_log * a.sd_log / a.n, vb = b.sd_log * b.sd_log / b.n;
  if (!std::isfinite(va + vb)) return result;
  result.standard_error = std::sqrt(va + vb);
  const double spread = va * va / (a.n - 1.0) + vb * vb / (b.n - 1.0);
  result.degrees_of_freedom = spread > 0.0 ? (va + vb) * (va + vb) / spread : a.n + b.n - 2.0;
  const double half = t_two_sided(result.degrees_of_freedom, confidence) * result.standard_error;
  result.estimate.interval = around(result.estimate.value, half, confidence);
  return result;
}

double total_rate(double work_per_sample, std::span<const double> times_s) {
  const double total_s = std::accumulate(times_s.begin(), times_s.end(), 0.0);
  return work_per_sample * static_cast<double>(times_s.size()) / total_s;
}

}  // namespace bench::analysis
