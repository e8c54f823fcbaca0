// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/size_model.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "analysis/fits/information.hpp"
#include "analysis/fits/nnls.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr std::int64_t kFewestSizes = 5;

struct Term {
  double power;
  int log_power;
};
/// From the slowest growing to the fastest.
constexpr std::array<Term, 9> kTerms{
    {{0.0, 1}, {0.5, 0}, {0.5, 1}, {1.0, 0}, {1.0, 1}, {1.5, 0}, {1.5, 1}, {2.0, 0}, {2.0, 1}}};

double grown(const Term& term, double size) {
  return std::pow(size, term.power) * (term.log_power > 0 ? std::log2(size) : 1.0);
}

struct Solved {
  double constant_s = 0.0, coefficient_s = 0.0, rss = 0.0;
};

/// Least squares on relative error over c0, and c1 when there is a term.
Solved solve(std::span<const SizePoint> points, const Term* term) {
  std::vector<double> design;
  for (const SizePoint& point : points) {
    design.push_back(1.0 / point.time_s);
    if (term != nullptr) design.push_back(grown(*term, point.size) / point.time_s);
  }
  const std::vector<double> ones(points.size(), 1.0);
  const NonNegative found = non_negative_least_squares(design, ones, term != nullptr ? 2 : 1);
  return {found.x[0], term != nullptr ? found.x[1] : 0.0, found.rss};
}

double at(const Solved& solved, const Term* term, double size) {
  return solved.constant_s + (term != nullptr ? solved.coefficient_s * grown(*term, size) : 0.0);
}

double leave_one_out_smape(std::span<const SizePoint> points, const Term* term) {
  double sum = 0.0;
  for (std::size_t out = 0; out < points.size(); ++out) {
    std::vector<SizePoint> kept(points.begin(), points.end());
    kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(out));
    const double time_s = points[out].time_s, foretold = at(solve(kept, term), term, points[out].size);
    sum += 2.0 * std::abs(time_s - foretold) / (time_s + foretold);
  }
  return sum / static_cast<double>(points.size());
}

}  // namespace

double time_of_size(const SizeFit& fit, double size) {
  return fit.constant_s + fit.coefficient_s * grown({fit.power, fit.log_power}, size);
}

SizeFit fit_size(std::span<const SizePoint> points) {
  std::set<double> sizes;
  for (const SizePoint& point : points) {
    BS_REQUIRE(std::isfinite(point.time_s) && point.time_s > 0.0 && point.size >= 1.0, "size ", point.size,
               " took ", point.time_s, " s");
    sizes.insert(point.size);
  }
  SizeFit fit{.n_points = static_cast<std::int64_t>(sizes.size())};
  fit.note = concat("not fitted, n=", fit.n_points);
  if (fit.n_points < kFewestSizes) return fit;
  const auto n = static_cast<double>(points.size());
  Solved best = solve(points, nullptr);
  const Term* chosen = nullptr;
  fit.aicc = aicc(best.rss, n, 2.0);
  for (const Term& term : kTerms) {
    const Solved solved = solve(points, &term);
    const double score = aicc(solved.rss, n, 3.0);
    if (score >= fit.aicc - (chosen == nullptr ? kClearlyBetter : 0.0)) continue;
    fit.aicc = score;
    best = solved;
    chosen = &term;
  }
  fit.fitted = true;
  fit.note.clear();
  fit.constant_s = best.constant_s;
  fit.coefficient_s = best.coefficient_s;
  if (chosen != nullptr) fit.power = chosen->power, fit.log_power = chosen->log_power;
  fit.loo_smape = leave_one_out_smape(points, chosen);
  return fit;
}

std::string to_text(const SizeFit& fit) {
  if (!fit.fitted) return fit.note;
  std::string text = fmt::format("{:.4g}", fit.constant_s);
  if (fit.coefficient_s <= 0.0) return text;
  text += fmt::format(" + {:.4g}", fit.coefficient_s);
  if (fit.power > 0.0) text += fit.power == 1.0 ? std::string(" n") : fmt::format(" n^{:g}", fit.power);
  return fit.log_power > 0 ? text + " log2(n)" : text;
}

}  // namespace bench::analysis
