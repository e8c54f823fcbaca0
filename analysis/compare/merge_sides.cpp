// SPDX-License-Identifier: Apache-2.0
#include "analysis/compare/merge_sides.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "analysis/compare/foreign_json.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

using Figures = std::map<std::string, std::vector<double>>;

void append(std::vector<double>& to, const std::vector<double>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// The larger; NaN, an output that is no number, is larger than any.
double worse_error(double a, double b) {
  return std::isnan(a) || a > b ? a : b;
}

/// The stricter of two that are known (above 0).
double stricter(double a, double b) {
  return a > 0.0 && b > 0.0 ? std::min(a, b) : std::max(a, b);
}

void merge_case(Measured& to, const Measured& more) {
  if (to.name.empty()) to.name = more.name;
  if (to.dtype.empty()) to.dtype = more.dtype;
  if (severity(more.outcome) > severity(to.outcome)) {
    to.outcome = more.outcome;
    to.reason = more.reason;
  }
  append(to.launches_s, more.launches_s);
  append(to.visits_s, more.visits_s);
  to.samples += more.samples;
  to.error = worse_error(to.error, more.error);
  to.tolerance = stricter(to.tolerance, more.tolerance);
  to.peak_memory_bytes = std::max(to.peak_memory_bytes, more.peak_memory_bytes);
}

}  // namespace

int severity(Outcome outcome) {
  constexpr std::array<Outcome, kOutcomeNames.size()> kMildestFirst{
      Outcome::ok,          Outcome::skipped,     Outcome::infeasible, Outcome::interrupted,
      Outcome::oom,         Outcome::timeout,     Outcome::comm_error, Outcome::crashed,
      Outcome::quarantined, Outcome::wrong_result};
  return static_cast<int>(std::ranges::find(kMildestFirst, outcome) - kMildestFirst.begin());
}

Side merge_sides(const std::vector<Side>& launches) {
  Side side;
  std::map<std::string, Figures> metrics;
  for (const Side& launch : launches) {
    side.launches += launch.launches;
    for (const auto& [key, value] : launch.environment) add_environment(side.environment, key, value);
    for (const auto& [key, measured] : launch.cases) {
      merge_case(side.cases[key], measured);
      for (const auto& [metric, value] : measured.metrics) metrics[key][metric].push_back(value);
    }
  }
  for (const auto& [key, figures] : metrics)
    for (const auto& [metric, values] : figures) side.cases[key].metrics[metric] = median(sorted(values));
  return side;
}

}  // namespace bench::analysis
