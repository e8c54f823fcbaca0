// SPDX-License-Identifier: Apache-2.0
// One row per scaling curve: which law it follows, how sure that is, and what it foretells. docs/metrics.md
// derives every figure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/fits/resample.hpp"
#include "analysis/fits/usl.hpp"
#include "analysis/results.hpp"

namespace bench::analysis {

/// What was measured of one curve of a scaling study.
struct MeasuredCurve {
  scaling::ScalingTag tag{};
  std::string kernel{};
  /// Ascending ranks; a time a visit. Strong: as measured. Weak: times (W_b / b) / (W_p / p), the time that
  /// the work per rank of the base b would have taken at this rate: efficiency is T(b) / T(p) of these times.
  std::vector<CurvePoint> points{};
  /// Work per second over all ranks at those points, from their headline times.
  std::vector<UslPoint> throughput{};
  std::string lacks{};  // "p=8 (oom), p=16 (infeasible)": points of the study that have no usable time
};
/// The curves in the order of Results::scaling.
std::vector<MeasuredCurve> measured_curves(const RunRecord& run, const Results& results);

struct FitRow {
  scaling::ScalingTag tag{};
  std::string kernel{};
  std::string model{};        // of rungs(); empty: not fitted, and `note` says why
  std::int64_t n_points = 0;  // distinct rank counts with a time
  CurveFit curve{};           // coefficients in s; one prediction, at twice the largest rank count
  std::optional<double> serial_fraction{};  // a / (a + b), strong studies
  std::optional<double> peak_ranks{};       // where time is least; absent when it falls for ever
  std::optional<UslFit> usl{};              // of 6 points and more
  double confidence = 0.95;                 // of every interval
  std::string note{};                       // why it is not fitted, what else fits, which points it lacks
};

/// Deterministic: the same records give the same rows, to the bit.
std::vector<FitRow> make_fits(const RunRecord& run, const Results& results);

}  // namespace bench::analysis
