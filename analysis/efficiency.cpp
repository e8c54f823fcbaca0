// SPDX-License-Identifier: Apache-2.0
#include "analysis/efficiency.hpp"

namespace bench::analysis {
namespace {

Estimate scaled(const Estimate& estimate, double factor) {
  Estimate result{estimate.value * factor, estimate.interval};
  if (result.interval) result.interval->lo *= factor, result.interval->hi *= factor;
  return result;
}

}  // namespace

Estimate speedup(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio) {
  return scaled(time_ratio, point.work / base.work);
}

Estimate efficiency(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio) {
  const double rank_ratio = static_cast<double>(point.ranks) / static_cast<double>(base.ranks);
  return scaled(time_ratio, point.work / base.work / rank_ratio);
}

std::optional<double> karp_flatt(double strong_speedup, double rank_ratio) {
  if (rank_ratio <= 1.0) return std::nullopt;
  return (1.0 / strong_speedup - 1.0 / rank_ratio) / (1.0 - 1.0 / rank_ratio);
}

double serial_fraction(double relative, std::int64_t base_ranks) {
  const auto b = static_cast<double>(base_ranks);
  return relative / (b - b * relative + relative);
}

double gustafson(double serial_fraction, std::int64_t ranks) {
  return static_cast<double>(ranks) - serial_fraction * static_cast<double>(ranks - 1);
}

}  // namespace bench::analysis
