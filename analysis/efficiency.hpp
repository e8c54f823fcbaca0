// SPDX-License-Identifier: Apache-2.0
// Scaling efficiency of one point against its base, work-normalised, and the figures that go with it. Pure
// arithmetic on estimates. Index p is the point (p ranks), b the base (b ranks), r = p / b, T times, W work.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

/// One point of a scaling curve: `work` in any unit that is the same for all points (FLOPs, or bytes).
/// `visits_s` is one time a visit; with 3 or more on both sides they give the intervals, else the interval of
/// `time_s` does.
struct ScalingPoint {
  std::int64_t ranks = 1;
  double work = 0.0;
  Estimate time_s{};
  std::vector<double> visits_s{};
};

/// T_a / T_b: welch_ratio of the visits when both have 3, else ratio of the times, whose intervals must then
/// hold at each_of_two(confidence) each.
Estimate time_ratio(const ScalingPoint& a, const ScalingPoint& b, double confidence);

/// Efficiency E = (W_p / (p T_p)) / (W_b / (b T_b)). When W/p is constant this is T_b / T_p (weak scaling);
/// when W is constant it is T_b / (r T_p) (strong scaling). `time_ratio` is T_b / T_p with its interval.
Estimate efficiency(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio);

/// Work done per second relative to the base: S = (W_p / T_p) / (W_b / T_b) = E r; T_b / T_p in a strong
/// study.
Estimate speedup(const ScalingPoint& base, const ScalingPoint& point, const Estimate& time_ratio);

/// Karp & Flatt (1990), relative to the base: e = (1/S - 1/r) / (1 - 1/r) for the speed-up S = T_b / T_p of a
/// problem of fixed size. Constant over p means serial work, rising means overhead, negative means
/// superlinear. nullopt at r <= 1.
std::optional<double> karp_flatt(double strong_speedup, double rank_ratio);
/// The absolute serial fraction behind a relative one: f = e / (b - b e + e). nullopt for e > 1 (slower than
/// the base): no serial fraction explains that.
std::optional<double> serial_fraction(double relative, std::int64_t base_ranks);
/// Gustafson's (1988) scaled speed-up p - f (p - 1).
double gustafson(double serial_fraction, std::int64_t ranks);

/// All figures of one point. An estimate without interval means too few visits or samples for one.
struct ScalingFigures {
  double rank_ratio = 1.0;  // r
  double work_ratio = 1.0;  // W_p / W_b
  Estimate time_ratio;      // T_b / T_p
  Estimate speedup, efficiency;
  std::optional<Estimate> karp_flatt;     // only for r > 1 at constant work
  std::optional<double> serial_fraction;  // of the value of karp_flatt
  bool superlinear = false;               // the whole interval of the efficiency lies above 1
};
ScalingFigures scaling_figures(const ScalingPoint& base, const ScalingPoint& point, double confidence);

}  // namespace bench::analysis
