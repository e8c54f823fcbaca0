// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/usl.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "analysis/fits/least_squares.hpp"
#include "analysis/fits/nnls.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr std::size_t kFewestPoints = 4;
constexpr int kMostSteps = 500;
constexpr double kNoStep = 1e-13;
constexpr double kNothing = 1e-10;  // of the slow-down, at the largest N
constexpr double kHopeless = 1e12;  // damping at which no step can be told from none

using Coefficients = std::array<double, 3>;  // g, s, k
using Free = std::array<bool, 3>;

/// The points, and one factor each by which its error counts.
struct Problem {
  std::span<const UslPoint> points;
  std::vector<double> factor;
};

double slowdown(const Coefficients& c, double n) {
  return 1.0 + c[1] * (n - 1.0) + c[2] * n * (n - 1.0);
}

bool possible(const Coefficients& c, const Problem& problem) {
  return c[0] > 0.0 &&
         std::ranges::all_of(problem.points, [&](const UslPoint& p) { return slowdown(c, p.ranks) > 0.0; });
}

/// Weighted residuals measured - X(N).
std::vector<double> residuals(const Coefficients& c, const Problem& problem) {
  std::vector<double> result;
  for (std::size_t i = 0; i < problem.points.size(); ++i) {
    const auto& [n, x] = problem.points[i];
    result.push_back(problem.factor[i] * (x - c[0] * n / slowdown(c, n)));
  }
  return result;
}

double squares(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  return sum;
}

/// dX/d(free coefficients), row-major.
std::vector<double> jacobian(const Coefficients& c, const Problem& problem, const Free& free) {
  std::vector<double> rows;
  for (std::size_t i = 0; i < problem.points.size(); ++i) {
    const double n = problem.points[i].ranks, slow = slowdown(c, n);
    const double by_slow = -c[0] * n / (slow * slow);
    const Coefficients row{n / slow, by_slow * (n - 1.0), by_slow * n * (n - 1.0)};
    for (std::size_t j = 0; j < 3; ++j)
      if (free[j]) rows.push_back(problem.factor[i] * row[j]);
  }
  return rows;
}

std::size_t count(const Free& free) {
  return static_cast<std::size_t>(std::ranges::count(free, true));
}

/// The step that lowers |residual - J step|^2 + damping |D step|^2, D the lengths of J's columns.
std::optional<std::vector<double>> damped_step(std::vector<double> rows, std::vector<double> right,
                                               std::size_t columns, double damping) {
  const std::size_t n = right.size();
  for (std::size_t j = 0; j < columns; ++j) {
    double length = 0.0;
    for (std::size_t i = 0; i < n; ++i) length += rows[i * columns + j] * rows[i * columns + j];
    for (std::size_t other = 0; other < columns; ++other)
      rows.push_back(other == j ? std::sqrt(damping * length) : 0.0);
    right.push_back(0.0);
  }
  const std::optional<LeastSquares> solved = least_squares(std::move(rows), std::move(right), columns);
  if (!solved) return std::nullopt;
  return solved->x;
}

/// Moves the free coefficients to the nearest minimum.
Coefficients minimise(Coefficients c, const Problem& problem, const Free& free) {
  double rss = squares(residuals(c, problem)), damping = 1e-3;
  for (int step = 0; step < kMostSteps && damping < kHopeless; ++step) {
    const auto move = damped_step(jacobian(c, problem, free), residuals(c, problem), count(free), damping);
    Coefficients next = c;
    double change = 0.0;
    for (std::size_t j = 0, k = 0; move && j < 3; ++j) {
      if (!free[j]) continue;
      next[j] += (*move)[k++];
      change = std::max(change, std::abs(next[j] - c[j]) / std::max(std::abs(c[j]), kNoStep));
    }
    const bool better = move && possible(next, problem) && squares(residuals(next, problem)) <= rss;
    damping *= better ? 0.1 : 10.0;
    if (!better) continue;
    c = next;
    rss = squares(residuals(c, problem));
    if (change < kNoStep) break;
  }
  return c;
}

/// Rounding leaves 1e-20 of a coefficient that is 0, and a peak at a billion ranks with it.
Coefficients without_rounding(Coefficients c, const Problem& problem) {
  double most = 1.0;
  for (const UslPoint& point : problem.points) most = std::max(most, point.ranks);
  if (std::abs(c[1]) * (most - 1.0) < kNothing) c[1] = 0.0;
  if (std::abs(c[2]) * most * (most - 1.0) < kNothing) c[2] = 0.0;
  return c;
}

/// N/X = (1 + s (N - 1) + k N (N - 1)) / g by relative error.
std::optional<Coefficients> start(const Problem& problem) {
  std::vector<double> design;
  for (const auto& [n, x] : problem.points)
    for (const double column : {1.0, n - 1.0, n * (n - 1.0)}) design.push_back(column * x / n);
  const std::vector<double> ones(problem.points.size(), 1.0);
  const NonNegative solved = non_negative_least_squares(design, ones, 3);
  if (!(solved.x[0] > 0.0)) return std::nullopt;
  return Coefficients{1.0 / solved.x[0], solved.x[1] / solved.x[0], solved.x[2] / solved.x[0]};
}

UslFit described(const Coefficients& c, const Problem& problem, const Free& free, UslMode mode) {
  UslFit fit{.g = c[0], .s = c[1], .k = c[2], .rss = squares(residuals(c, problem)), .mode = mode};
  fit.degrees_of_freedom = static_cast<std::int64_t>(problem.points.size() - count(free));
  fit.superlinear = fit.s < 0.0;
  const auto solved = least_squares(jacobian(c, problem, free), residuals(c, problem), count(free));
  if (!solved || fit.degrees_of_freedom < 1) return fit;
  const std::vector<double> diagonal = inverse_gram_diagonal(solved->r, count(free));
  const double variance = fit.rss / static_cast<double>(fit.degrees_of_freedom);
  for (std::size_t j = 0, k = 0; j < 3; ++j)
    if (free[j]) fit.standard_error[j] = std::sqrt(variance * diagonal[k++]);
  return fit;
}

}  // namespace

double usl_throughput(const UslFit& fit, double ranks) {
  return fit.g * ranks / slowdown({fit.g, fit.s, fit.k}, ranks);
}

std::optional<UslFit> fit_usl(std::span<const UslPoint> points, UslMode mode, UslErrors errors) {
  Problem problem{points, {}};
  for (const UslPoint& p : points) {
    BS_REQUIRE(std::isfinite(p.throughput) && p.throughput > 0.0 && p.ranks >= 1.0, p.ranks,
               " ranks have a throughput of ", p.throughput);
    problem.factor.push_back(errors == UslErrors::relative ? 1.0 / p.throughput : 1.0);
  }
  if (points.size() < kFewestPoints) return std::nullopt;
  const std::optional<Coefficients> from = start(problem);
  if (!from) return std::nullopt;
  std::optional<UslFit> best;
  for (const Free& free :
       {Free{true, true, true}, Free{true, false, true}, Free{true, true, false}, Free{true, false, false}}) {
    Coefficients c = *from;
    for (std::size_t j = 1; j < 3; ++j)
      if (!free[j]) c[j] = 0.0;
    c = without_rounding(minimise(c, problem, free), problem);
    if (c[2] < 0.0 || (mode == UslMode::bounded && c[1] < 0.0)) continue;
    const UslFit fit = described(c, problem, free, mode);
    if (!best || fit.rss < best->rss) best = fit;
    if (count(free) == 3) break;  // the free minimum is feasible: no bound can do better
  }
  return best;
}

std::optional<double> usl_peak(const UslFit& fit) {
  if (fit.k <= 0.0 || fit.s >= 1.0) return std::nullopt;
  return std::sqrt((1.0 - fit.s) / fit.k);
}

std::array<Estimate, 3> usl_estimates(const UslFit& fit, double confidence) {
  std::array<Estimate, 3> result{{{fit.g, std::nullopt}, {fit.s, std::nullopt}, {fit.k, std::nullopt}}};
  if (fit.degrees_of_freedom < 1) return result;
  const double t = t_two_sided(static_cast<double>(fit.degrees_of_freedom), confidence);
  for (std::size_t j = 0; j < 3; ++j) {
    const double half = t * fit.standard_error[j];
    result[j].interval = finite_interval(result[j].value - half, result[j].value + half, confidence);
  }
  return result;
}

}  // namespace bench::analysis
