// SPDX-License-Identifier: Apache-2.0
#include "analysis/efficiency.hpp"

#include <cmath>

namespace bench::analysis {
namespace {

constexpr std::size_t kFewestVisits = 3;
// Relative. Strong studies repeat W exactly, weak ones change it by whole tiles.
constexpr double kSameWork = 1e-9;

Estimate scaled(const Estimate& estimate, double factor) {
  Estimate result{estimate.value * factor, std::nullopt};
  if (!estimate.interval) return result;
  const auto& [lo, hi, confidence] = *estimate.interval;
  result.interval = finite_interval(lo * factor, hi * factor, confidence);
  return result;
}

double rank_ratio_of(const ScalingPoint& base, const ScalingPoint& point) {
  return static_cast<double>(point.ranks) / static_cast<double>(base.ranks);
}

/// Karp-Flatt falls as the speed-up rises, so the ends of the interval change places.
std::optional<Estimate> karp_flatt_estimate(const Estimate& strong_speedup, double rank_ratio) {
  const std::optional<double> value = karp_flatt(strong_speedup.value, rank_ratio);
  if (!value) return std::nullopt;
  Estimate result{*value, std::nullopt};
  if (!strong_speedup.interval) return result;
  const auto& [lo, hi, confidence] = *strong_speedup.interval;
  result.interval = finite_interval(*karp_flatt(hi, rank_ratio), *karp_flatt(lo, rank_ratio), confidence);
  return result;
}

}  // namespace

Estimate time_ratio(const ScalingPoint& a, const ScalingPoint& b, double confidence) {
  if (a.visits_s.size() >= kFewestVisits && b.visits_s.size() >= kFewestVisits)
    return welch_ratio(log_side(a.visits_s), log_side(b.visits_s), confidence).estimate;
  return ratio(a.time_s, b.time_s, confidence);
}

Estimate speedup(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio) {
  return scaled(time_ratio, point.work / base.work);
}

Estimate efficiency(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio) {
  return scaled(time_ratio, point.work / base.work / rank_ratio_of(base, point));
}

std::optional<double> karp_flatt(double strong_speedup, double rank_ratio) {
  if (rank_ratio <= 1.0) return std::nullopt;
  return (1.0 / strong_speedup - 1.0 / rank_ratio) / (1.0 - 1.0 / rank_ratio);
}

std::optional<double> serial_fraction(double relative, std::int64_t base_ranks) {
  if (relative > 1.0) return std::nullopt;
  const auto b = static_cast<double>(base_ranks);
  return relative / (b - b * relative + relative);
}

double gustafson(double serial_fraction, std::int64_t ranks) {
  return static_cast<double>(ranks) - serial_fraction * static_cast<double>(ranks - 1);
}

ScalingFigures scaling_figures(const ScalingPoint& base, const ScalingPoint& point, double confidence) {
  ScalingFigures figures;
  figures.rank_ratio = rank_ratio_of(base, point);
  figures.work_ratio = point.work / base.work;
  figures.time_ratio = time_ratio(base, point, confidence);
  figures.speedup = speedup(base, point, figures.time_ratio);
  figures.efficiency = efficiency(base, point, figures.time_ratio);
  figures.superlinear = figures.efficiency.interval && figures.efficiency.interval->lo > 1.0;
  if (std::abs(figures.work_ratio - 1.0) > kSameWork) return figures;
  figures.karp_flatt = karp_flatt_estimate(figures.time_ratio, figures.rank_ratio);
  if (figures.karp_flatt) figures.serial_fraction = serial_fraction(figures.karp_flatt->value, base.ranks);
  return figures;
}

}  // namespace bench::analysis
