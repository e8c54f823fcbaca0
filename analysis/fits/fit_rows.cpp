// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/fit_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bench::analysis {
namespace {

constexpr std::size_t kFewestUslPoints = 6;  // three coefficients and three to judge them by
constexpr double kPoorFit = 0.1;             // relative_sd past which a row says that its curve is no good

bool same_curve(const MeasuredCurve& curve, const ScalingRow& row, const scaling::Case& c) {
  return curve.tag == row.tag && curve.kernel == c.kernel;
}

/// A point that efficiency was taken of can be fitted; scaling_rows() has left out what did not run or shared
/// cores.
bool usable(const ScalingRow& row, const CaseResult& result) {
  return row.efficiency.has_value() && result.timed() && !result.visit_medians_s.empty();
}

double work_per_rank(const ScalingRow& row, const scaling::Case& c) {
  return row.work / static_cast<double>(c.ranks);
}

void add_point(MeasuredCurve& curve, const CaseResult& result, std::int64_t ranks, double work,
               double factor) {
  if (!curve.points.empty() && curve.points.back().ranks == ranks) return;  // a rank count is one point
  CurvePoint point{ranks, result.visit_medians_s};
  for (double& time_s : point.visits_s) time_s *= factor;
  curve.points.push_back(std::move(point));
  curve.throughput.push_back({static_cast<double>(ranks), work / result.time_s.value});
}

void append(std::string& text, const std::string& more, const char* between) {
  if (!more.empty()) text += (text.empty() ? "" : between) + more;
}

FitRow fitted(const MeasuredCurve& curve, double confidence) {
  FitRow row{.tag = curve.tag, .kernel = curve.kernel, .confidence = confidence};
  row.n_points = static_cast<std::int64_t>(curve.points.size());
  const bool strong = curve.tag.mode == "strong";
  std::vector<double> ahead;
  if (!curve.points.empty()) ahead.push_back(2.0 * static_cast<double>(curve.points.back().ranks));
  row.curve = fit_curve(curve.points, ahead,
                        {.ladder = strong ? Ladder::strong : Ladder::weak, .confidence = confidence});
  const TimeFit& fit = row.curve.fit;
  row.note = fit.note;
  if (!curve.lacks.empty()) append(row.note, "without " + curve.lacks, "; ");
  if (fit.rung == nullptr) return row;
  row.model = fit.rung->name;
  if (strong) row.serial_fraction = amdahl_fraction(fit.terms);
  row.peak_ranks = peak_ranks(fit.terms);
  if (curve.throughput.size() >= kFewestUslPoints)
    row.usl = fit_usl(curve.throughput, UslMode::bounded, UslErrors::relative);
  if (fit.relative_sd > kPoorFit)
    append(row.note, fmt::format("points lie {:.0f} % off the curve", 100.0 * fit.relative_sd), "; ");
  if (!row.curve.predictions.front().time_s.interval)
    append(row.note, "no intervals: fewer than 3 visits", "; ");
  return row;
}

}  // namespace

std::vector<MeasuredCurve> measured_curves(const RunRecord& run, const Results& results) {
  std::vector<MeasuredCurve> curves;
  double base_work = 0.0;  // per rank, of the first usable point of the curve
  for (const ScalingRow& row : results.scaling) {
    const scaling::Case& c = run.cases[row.case_index];
    const CaseResult& result = results.cases[row.case_index];
    if (curves.empty() || !same_curve(curves.back(), row, c))
      curves.push_back({.tag = row.tag, .kernel = c.kernel});
    MeasuredCurve& curve = curves.back();
    if (!usable(row, result)) {
      append(curve.lacks, concat("p=", c.ranks, " (", result.lack(), ")"), ", ");
      continue;
    }
    if (curve.points.empty()) base_work = work_per_rank(row, c);
    add_point(curve, result, c.ranks, row.work,
              row.tag.mode == "strong" ? 1.0 : base_work / work_per_rank(row, c));
  }
  return curves;
}

std::vector<FitRow> make_fits(const RunRecord& run, const Results& results) {
  std::vector<FitRow> rows;
  for (const MeasuredCurve& curve : measured_curves(run, results))
    rows.push_back(fitted(curve, run.confidence));
  return rows;
}

}  // namespace bench::analysis
