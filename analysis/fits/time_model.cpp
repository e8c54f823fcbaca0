// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/time_model.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

#include "analysis/fits/information.hpp"
#include "analysis/fits/nnls.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr std::array<TimeRung, 4> kStrong{{{"constant", {true, false, false, false}},
                                           {"amdahl", {true, true, false, false}},
                                           {"amdahl+log", {true, true, true, false}},
                                           {"amdahl+ring", {true, true, false, true}}}};
constexpr std::array<TimeRung, 3> kWeak{{{"constant", {true, false, false, false}},
                                         {"constant+log", {true, false, true, false}},
                                         {"constant+ring", {true, false, false, true}}}};

TimeTerms basis(double ranks) {
  return {1.0, 1.0 / ranks, std::log2(ranks), ranks - 1.0};
}

std::int64_t distinct_ranks(std::span<const TimePoint> points) {
  std::set<double> seen;
  for (const TimePoint& point : points) seen.insert(point.ranks);
  return static_cast<std::int64_t>(seen.size());
}

/// Weights of relative errors, with a mean of 1.
std::vector<double> weights_of(std::span<const TimePoint> points) {
  std::vector<double> weights(points.size(), 1.0);
  if (!std::ranges::all_of(points, [](const TimePoint& p) { return p.relative_se > 0.0; })) return weights;
  double sum = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i)
    sum += weights[i] = 1.0 / (points[i].relative_se * points[i].relative_se);
  for (double& weight : weights) weight *= static_cast<double>(points.size()) / sum;
  return weights;
}

/// dT/dp.
double slope(const TimeTerms& terms, double p) {
  return -terms[1] / (p * p) + terms[2] / (p * std::numbers::ln2) + terms[3];
}

}  // namespace

std::int64_t TimeRung::parameters() const {
  return std::count(terms.begin(), terms.end(), true);
}

std::span<const TimeRung> rungs(Ladder ladder) {
  if (ladder == Ladder::strong) return kStrong;
  return kWeak;
}

double time_at(const TimeTerms& terms, double ranks) {
  const TimeTerms at = basis(ranks);
  double time_s = 0.0;
  for (std::size_t j = 0; j < kTimeTerms; ++j) time_s += terms[j] * at[j];
  return time_s;
}

std::optional<TimeFit> fit_rung(std::span<const TimePoint> points, const TimeRung& rung) {
  const auto columns = static_cast<std::size_t>(rung.parameters());
  std::vector<double> design;
  for (const TimePoint& point : points) {
    BS_REQUIRE(std::isfinite(point.time_s) && point.time_s > 0.0 && point.ranks >= 1.0, "a point of ",
               point.ranks, " ranks took ", point.time_s, " s");
    const TimeTerms at = basis(point.ranks);
    for (std::size_t j = 0; j < kTimeTerms; ++j)
      if (rung.terms[j]) design.push_back(at[j] / point.time_s);  // relative error: T(p)/T - 1
  }
  TimeFit fit{.rung = &rung, .n_points = distinct_ranks(points)};
  if (fit.n_points < rung.parameters() + 1) return std::nullopt;
  const std::vector<double> ones(points.size(), 1.0);
  const NonNegative solved = non_negative_least_squares(design, ones, columns, weights_of(points));
  for (std::size_t j = 0, k = 0; j < kTimeTerms; ++j)
    if (rung.terms[j]) fit.terms[j] = solved.x[k++];
  const auto n = static_cast<double>(points.size()), k = static_cast<double>(rung.parameters());
  fit.aicc = aicc(solved.rss, n, k + 1.0);
  fit.relative_sd = std::sqrt(solved.rss / (n - k));
  return fit;
}

TimeFit fit_time(std::span<const TimePoint> points, Ladder ladder) {
  TimeFit best{.n_points = distinct_ranks(points)};
  best.note = concat("not fitted, n=", best.n_points);
  if (best.n_points < kFewestFitPoints) return best;
  std::vector<TimeFit> fits;
  for (const TimeRung& rung : rungs(ladder)) {
    const std::optional<TimeFit> fit = fit_rung(points, rung);
    if (!fit || std::isnan(fit->aicc)) continue;
    fits.push_back(*fit);
    const bool first = best.rung == nullptr;
    const bool more_terms = !first && rung.parameters() > best.rung->parameters();
    if (first || fit->aicc < best.aicc - (more_terms ? kClearlyBetter : 0.0)) best = *fit;
  }
  for (const TimeFit& other : fits)
    if (other.rung != best.rung && other.aicc <= best.aicc + kClearlyBetter)
      best.note += concat(best.note.empty() ? "" : ", ", other.rung->name);
  if (!best.note.empty()) best.note += " fits as well";
  return best;
}

std::optional<double> amdahl_fraction(const TimeTerms& terms) {
  const double whole = terms[0] + terms[1];
  if (!(whole > 0.0)) return std::nullopt;
  return terms[0] / whole;
}

std::optional<double> peak_ranks(const TimeTerms& terms) {
  const auto& [a, b, c, d] = terms;
  if (c <= 0.0 && d <= 0.0) return std::nullopt;
  if (slope(terms, 1.0) >= 0.0) return 1.0;
  if (d <= 0.0) return b * std::numbers::ln2 / c;
  const double tree = c / std::numbers::ln2;  // d p^2 + tree p - b = 0, its root without cancellation
  return 2.0 * b / (tree + std::sqrt(tree * tree + 4.0 * b * d));
}

std::optional<double> max_speedup(const TimeTerms& terms) {
  const double alone = time_at(terms, 1.0);
  if (const std::optional<double> peak = peak_ranks(terms)) return alone / time_at(terms, *peak);
  if (!(terms[0] > 0.0)) return std::nullopt;
  return alone / terms[0];
}

}  // namespace bench::analysis
