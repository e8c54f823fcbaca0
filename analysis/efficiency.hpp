// SPDX-License-Identifier: Apache-2.0
// Scaling efficiency of one point against its base, work-normalised, and the figures that go with it. Pure arithmetic on estimates.
#pragma once

#include <cstdint>
#include <optional>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

/// One point of a scaling curve: `work` in any unit that is the same for all points (FLOPs, or bytes).
struct ScalingPoint {
  std::int64_t ranks = 1;
  double work = 0.0;
  Estimate time_s;
};

/// Efficiency E = (W_p / (p T_p)) / (W_b / (b T_b)). When W/p is constant this is T_b / T_p (weak); when W is constant it is T_b / (r T_p) with
/// r = p/b (strong). `time_ratio` is T_b / T_p with its interval.
Estimate efficiency(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio);

/// Work done per second relative to the base: S = (W_p / T_p) / (W_b / T_b) = E r; T_b / T_p in a strong study.
Estimate speedup(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio);

/// Karp & Flatt (1990), relative to the base: e = (1/S - 1/r) / (1 - 1/r). Not defined at r = 1.
std::optional<double> karp_flatt(double strong_speedup, double rank_ratio);
/// The absolute serial fraction behind a relative one: f = e / (b - b e + e).
double serial_fraction(double relative, std::int64_t base_ranks);
/// Gustafson's (1988) scaled speed-up p - f (p - 1).
double gustafson(double serial_fraction, std::int64_t ranks);

}  // namespace bench::analysis
