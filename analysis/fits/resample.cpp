// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/resample.hpp"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "analysis/statistics/bootstrap.hpp"
#include "analysis/statistics/moments.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr std::size_t kFewestVisits = 3;
constexpr double kPriorDegrees = 12.0;  // own visits alone: intervals of 95 % cover 87 %; with these, 93 %
constexpr double kFarFactor = 2.0;

bool enough_visits(std::span<const CurvePoint> points) {
  return std::ranges::all_of(points, [](const CurvePoint& p) { return p.visits_s.size() >= kFewestVisits; });
}

/// 0 < u < 1.
double uniform(SplitMix64& random) {
  return (static_cast<double>(random.next() >> 11U) + 0.5) * 0x1p-53;
}

/// Logarithms of all visits less their own point's mean, each point's spread to a variance of s^2 and all of
/// them divided by the common standard deviation; all 0 when all visits agree.
std::vector<double> standard_deviates(std::span<const CurvePoint> points) {
  std::vector<double> pool;
  double squares = 0.0;
  for (const CurvePoint& point : points) {
    const LogSide side = log_side(point.visits_s);
    const double spread = std::sqrt(side.n / (side.n - 1.0));
    for (const double time_s : point.visits_s) pool.push_back(spread * (std::log(time_s) - side.mean_log));
  }
  for (const double deviation : pool) squares += deviation * deviation;
  const double sd = std::sqrt(squares / static_cast<double>(pool.size()));
  for (double& deviation : pool) deviation = sd > 0.0 ? deviation / sd : 0.0;
  return pool;
}

/// Coefficients of `rung` for every resample; empty when visits are too few to draw from.
std::vector<TimeTerms> resampled(std::span<const CurvePoint> points, const TimeRung& rung,
                                 const CurveOptions& options, SplitMix64& random) {
  std::vector<TimeTerms> all;
  if (!enough_visits(points)) return all;
  const std::vector<TimePoint> measured = time_points(points);
  const std::vector<double> pool = standard_deviates(points);
  const auto degrees = static_cast<double>(pool.size() - points.size());  // of their common variance
  const double student = t_two_sided(degrees, options.confidence) / z_two_sided(options.confidence);
  std::vector<TimePoint> drawn = measured;
  for (std::int64_t i = 0; i < options.resamples; ++i) {
    for (std::size_t j = 0; j < points.size(); ++j) {
      const std::size_t visits = points[j].visits_s.size();
      double sum = 0.0;
      for (std::size_t v = 0; v < visits; ++v) sum += pool[random.index(pool.size())];
      const double off = student * measured[j].relative_se * sum / std::sqrt(static_cast<double>(visits));
      drawn[j].time_s = measured[j].time_s * std::exp(off);
    }
    if (const std::optional<TimeFit> fit = fit_rung(drawn, rung)) all.push_back(fit->terms);
  }
  return all;
}

std::optional<Interval> percentiles(std::vector<double> values, double confidence) {
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const double tail = (1.0 - confidence) / 2.0;
  return finite_interval(quantile(values, tail), quantile(values, 1.0 - tail), confidence);
}

/// The curve at `ranks`, with the band in which one more point would lie.
Estimate foretold(const TimeFit& fit, const std::vector<TimeTerms>& refits, double ranks, double confidence,
                  SplitMix64& random) {
  Estimate result{time_at(fit.terms, ranks), std::nullopt};
  const auto degrees = static_cast<double>(fit.n_points - fit.rung->parameters());
  const boost::math::students_t_distribution<double> student(degrees);
  std::vector<double> values;
  for (const TimeTerms& terms : refits)
    values.push_back(time_at(terms, ranks) *
                     std::exp(fit.relative_sd * boost::math::quantile(student, uniform(random))));
  result.interval = percentiles(std::move(values), confidence);
  return result;
}

/// Of the points but the largest, or of the chosen model where they are too few to choose.
std::optional<TimeFit> fit_without_largest(std::span<const CurvePoint> kept, const TimeFit& whole,
                                           Ladder ladder) {
  const std::vector<TimePoint> points = time_points(kept);
  TimeFit fit = fit_time(points, ladder);
  if (fit.rung != nullptr) return fit;
  if (fit.n_points < whole.rung->parameters() + 2) return std::nullopt;
  return fit_rung(points, *whole.rung);
}

std::optional<HoldOut> hold_out(std::span<const CurvePoint> points, const TimeFit& whole,
                                const CurveOptions& options, SplitMix64& random) {
  std::vector<CurvePoint> kept(points.begin(), points.end());
  const auto largest = std::ranges::max_element(kept, {}, &CurvePoint::ranks);
  const CurvePoint out = *largest;
  kept.erase(largest);
  const std::optional<TimeFit> fit = fit_without_largest(kept, whole, options.ladder);
  if (!fit) return std::nullopt;
  HoldOut result{.ranks = out.ranks, .model = fit->rung->name};
  result.measured_s = std::exp(log_side(out.visits_s).mean_log);
  result.predicted_s = foretold(*fit, resampled(kept, *fit->rung, options, random),
                                static_cast<double>(out.ranks), options.confidence, random);
  result.error = result.predicted_s.value / result.measured_s - 1.0;
  if (const auto& band = result.predicted_s.interval)
    result.inside = band->lo <= result.measured_s && result.measured_s <= band->hi;
  return result;
}

}  // namespace

std::vector<TimePoint> time_points(std::span<const CurvePoint> points) {
  std::vector<TimePoint> result;
  double squares = 0.0, degrees = 0.0;
  for (const CurvePoint& point : points) {
    const LogSide side = log_side(point.visits_s);
    result.push_back({static_cast<double>(point.ranks), std::exp(side.mean_log), 0.0});
    squares += (side.n - 1.0) * side.sd_log * side.sd_log;
    degrees += side.n - 1.0;
  }
  if (!enough_visits(points) || !(squares > 0.0)) return result;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const LogSide side = log_side(points[i].visits_s);
    const double own = (side.n - 1.0) * side.sd_log * side.sd_log, all = kPriorDegrees * squares / degrees;
    result[i].relative_se = std::sqrt((own + all) / (side.n - 1.0 + kPriorDegrees) / side.n);
  }
  return result;
}

CurveFit fit_curve(std::span<const CurvePoint> points, std::span<const double> predict_ranks,
                   const CurveOptions& options) {
  CurveFit result;
  result.fit = fit_time(time_points(points), options.ladder);
  if (result.fit.rung == nullptr) return result;
  SplitMix64 random{options.seed};
  const std::vector<TimeTerms> refits = resampled(points, *result.fit.rung, options, random);
  for (std::size_t j = 0; j < kTimeTerms; ++j) {
    if (!result.fit.rung->terms[j]) continue;
    std::vector<double> values;
    for (const TimeTerms& terms : refits) values.push_back(terms[j]);
    result.interval[j] = percentiles(std::move(values), options.confidence);
  }
  const std::int64_t most = std::ranges::max_element(points, {}, &CurvePoint::ranks)->ranks;
  for (const double ranks : predict_ranks)
    result.predictions.push_back({ranks, foretold(result.fit, refits, ranks, options.confidence, random),
                                  ranks > kFarFactor * static_cast<double>(most)});
  result.hold_out = hold_out(points, result.fit, options, random);
  return result;
}

}  // namespace bench::analysis
