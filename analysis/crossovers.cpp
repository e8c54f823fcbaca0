// SPDX-License-Identifier: Apache-2.0
#include "analysis/crossovers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analysis/case_parameters.hpp"
#include "analysis/scaling_rows.hpp"
#include "analysis/source_runs.hpp"

namespace bench::analysis {
namespace {

/// The fastest row at each size.
using Curve = std::map<std::int64_t, std::size_t>;
/// By the parameters that do not vary along them.
using Curves = std::map<std::string, Curve>;

bool usable(const CaseResult& result) { return result.whole() && !result.oversubscribed; }

void add_row(Curves& curves, const RunRecord& run, const Results& results, std::size_t row, const std::string& along) {
  const scaling::Case& c = run.cases[results.cases[row].case_index];
  Curve& curve = curves[parameters_key(c, along)];
  const auto [it, is_new] = curve.try_emplace(int_of(c.params, along.c_str(), 0), row);
  if (!is_new && results.cases[row].time_s.value < results.cases[it->second].time_s.value) it->second = row;
}

/// What two problems of different ops must have in common to be held against each other.
bool alike(const scaling::Case& a, const scaling::Case& b) {
  constexpr std::array kShared{"batch", "dtype", "pass", "ranks", "threads"};
  return std::ranges::all_of(kShared, [&](const char* name) {
    const auto in_a = a.params.find(name), in_b = b.params.find(name);
    return in_a == a.params.end() || in_b == b.params.end() || in_a->second == in_b->second;
  });
}

std::vector<CrossoverPoint> points_of(const RunRecord& run, const Results& results, const Curve& own, const Curve& other) {
  std::vector<CrossoverPoint> points;
  for (const auto& [at, row] : own) {
    const auto found = other.find(at);
    if (found == other.end()) continue;
    const CaseResult &mine = results.cases[row], &theirs = results.cases[found->second];
    if (!comparable_environments(mine.environment, theirs.environment)) continue;
    CrossoverPoint point{at, row, found->second, time_ratio(run, results, found->second, row, each_of_two(run.confidence)), std::nullopt};
    if (mine.limit_s > 0.0 && theirs.limit_s > 0.0) point.limit_ratio = theirs.limit_s / mine.limit_s;
    points.push_back(point);
  }
  return points;
}

/// Crossing of one figure of the points; sizes that lack it count for nothing.
template <class Figure>
LineCrossing crossing_of(const std::vector<CrossoverPoint>& points, Figure&& figure) {
  std::vector<double> x, y;
  for (const CrossoverPoint& point : points)
    if (const std::optional<double> ratio = figure(point)) x.push_back(static_cast<double>(point.at)), y.push_back(std::log(*ratio));
  return last_upward_crossing(x, y);
}

std::optional<double> place(const LineCrossing& line) { return line.crossing == Crossing::found ? std::optional(line.at) : std::nullopt; }

void locate(Crossover& c) {
  const LineCrossing measured = crossing_of(c.points, [](const auto& p) { return std::optional(p.ratio.value); });
  c.crossing = measured.crossing;
  c.at = place(measured);
  const auto end = [&](double Interval::*side) {
    return place(crossing_of(c.points, [&](const auto& p) { return p.ratio.interval ? std::optional((*p.ratio.interval).*side) : std::nullopt; }));
  };
  if (c.at) c.lo = end(&Interval::hi), c.hi = end(&Interval::lo);
  const LineCrossing limits = crossing_of(c.points, [](const auto& p) { return p.limit_ratio; });
  c.predicted = limits.crossing;
  c.predicted_at = place(limits);
}

Curves curves_of_sweep(const RunRecord& run, const Results& results, const std::string& sweep, const std::string& along) {
  Curves curves;
  for (std::size_t row = 0; row < results.cases.size(); ++row) {
    const scaling::Case& c = run.cases[results.cases[row].case_index];
    if (usable(results.cases[row]) && std::ranges::find(c.sweeps, sweep) != c.sweeps.end()) add_row(curves, run, results, row, along);
  }
  return curves;
}

}  // namespace

std::string_view to_text(Crossing crossing) {
  constexpr std::array<std::string_view, 4> kNames{"found", "always", "never", "too_little"};
  return kNames[static_cast<std::size_t>(crossing)];
}

LineCrossing last_upward_crossing(std::span<const double> x, std::span<const double> y) {
  if (x.size() < 2) return {};
  if (!(y.back() > 0.0)) return {Crossing::never};
  std::size_t i = y.size() - 1;  // the first of those that stay above 0
  while (i > 0 && y[i - 1] > 0.0) --i;
  if (i == 0) return {Crossing::always};
  const double share = -y[i - 1] / (y[i] - y[i - 1]);
  return {Crossing::found, x[i - 1] * std::pow(x[i] / x[i - 1], share)};
}

std::vector<Crossover> find_crossovers(const RunRecord& run, const Results& results) {
  std::vector<scaling::CrossoverTag> tags;  // in the order of the cases
  for (const scaling::Case& c : run.cases)
    for (const scaling::CrossoverTag& tag : c.crossovers)
      if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(tag);
  std::vector<Crossover> crossovers;
  for (const scaling::CrossoverTag& tag : tags) {
    const Curves mine = curves_of_sweep(run, results, tag.sweep, tag.along), theirs = curves_of_sweep(run, results, tag.against, tag.along);
    for (const auto& [key, own] : mine)
      for (const auto& [other_key, other] : theirs) {
        if (!alike(run.cases[results.cases[own.begin()->second].case_index], run.cases[results.cases[other.begin()->second].case_index])) continue;
        Crossover& c = crossovers.emplace_back(Crossover{tag, points_of(run, results, own, other)});
        locate(c);
      }
  }
  return crossovers;
}

}  // namespace bench::analysis
