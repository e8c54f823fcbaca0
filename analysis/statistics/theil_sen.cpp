// SPDX-License-Identifier: Apache-2.0
// The median of all slopes without making them all. A pair of points i < j has a slope below m exactly when
// the residual value - m at is smaller at j than at i, so slopes below m are falls of the residuals, which a
// merge sort counts. Some thousand slopes give two values lo < hi that bracket the median nearly always; the
// pairs whose order differs between the residuals at lo and at hi are those with a slope in between, and an
// insertion sort from one order to the other meets each once (Matousek 1991). They are a twentieth of all,
// and the median is selected among them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/statistics/falls.hpp"
#include "analysis/statistics/trend.hpp"

namespace bench::analysis {
namespace {

constexpr std::size_t kMostSlopePoints = 1024;
constexpr std::size_t kFewestToBracket = 128;  // below, all slopes are fewer than the work saved
constexpr std::size_t kSampledPerPoint = 8;    // about; gives 8192 slopes of 1024 points
constexpr double kBracketSds = 4.5;            // of the rank of the median among the sampled slopes

struct Point {
  double at, value;
  double residual = 0.0;
};

double slope(const Point& a, const Point& b) {
  return (b.value - a.value) / (b.at - a.at);
}

bool lower(const Point& a, const Point& b) {
  return a.residual < b.residual;
}

void take_residuals(std::vector<Point>& points, double m) {
  for (Point& point : points) point.residual = point.value - m * point.at;
}

/// The series' values and indices that the slope is taken over.
std::vector<Point> thinned(std::span<const double> x) {
  const std::size_t count = std::min(x.size(), kMostSlopePoints);
  std::vector<Point> points;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * (x.size() - 1) / (count - 1);
    points.push_back({static_cast<double>(at), x[at]});
  }
  return points;
}

/// The slopes of every `stride`-th pair; all of them for stride 1.
std::vector<double> some_slopes(const std::vector<Point>& points, std::size_t stride) {
  const std::size_t n = points.size();
  std::vector<double> slopes;
  slopes.reserve(n * (n - 1) / 2 / stride + n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1 + i % stride; j < n; j += stride)
      slopes.push_back(slope(points[i], points[j]));
  return slopes;
}

double value_at_rank(std::vector<double>& values, std::size_t rank) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

struct Bracket {
  double lo, hi;
};

/// Two slopes that the median of all lies between but for rare series, moved apart by more than residuals
/// are rounded: many slopes may be equal to either.
Bracket bracket_of_median(const std::vector<Point>& points) {
  std::vector<double> slopes = some_slopes(points, points.size() / (2 * kSampledPerPoint));
  const auto count = static_cast<double>(slopes.size());
  const auto off = static_cast<std::size_t>(kBracketSds * 0.5 * std::sqrt(count));
  const std::size_t middle = slopes.size() / 2;
  const double lo = value_at_rank(slopes, middle - off), hi = value_at_rank(slopes, middle + off);
  double largest = 0.0;
  for (const Point& point : points) largest = std::max(largest, std::fabs(point.value));
  largest += std::max(std::fabs(lo), std::fabs(hi)) * points.back().at;
  const double rounding = 8.0 * std::numeric_limits<double>::epsilon() * largest;
  return {lo - rounding, hi + rounding};
}

/// Slopes in a bracket, and how many are below it.
struct Inside {
  std::size_t below = 0;
  std::vector<double> slopes;
};

Inside slopes_inside(std::vector<Point>& points, const Bracket& bracket) {
  Inside inside;
  std::vector<Point> spare(points);
  take_residuals(points, bracket.lo);
  inside.below = static_cast<std::size_t>(sort_and_count_falls<Point>(points, spare, lower));
  take_residuals(points, bracket.hi);
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point moved = points[i];
    std::size_t to = i;
    for (; to > 0 && lower(moved, points[to - 1]); --to) {
      inside.slopes.push_back(slope(points[to - 1], moved));
      points[to] = points[to - 1];
    }
    points[to] = moved;
  }
  return inside;
}

/// The median of `all` values, of which `below` are smaller than the given ones and the others larger.
double median_of(std::vector<double>& values, std::size_t below, std::size_t all) {
  const std::size_t rank = all / 2 - below;
  const double upper = value_at_rank(values, rank);
  if (all % 2 == 1) return upper;
  return (*std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank)) + upper) /
         2.0;
}

}  // namespace

double theil_sen_slope(std::span<const double> x) {
  const auto finite = [](double value) { return std::isfinite(value); };
  if (x.size() < 2 || !std::all_of(x.begin(), x.end(), finite)) return 0.0;
  std::vector<Point> points = thinned(x);
  const std::size_t all = points.size() * (points.size() - 1) / 2;
  if (points.size() >= kFewestToBracket) {
    Inside inside = slopes_inside(points, bracket_of_median(points));
    const bool holds_both_middles = inside.below < all / 2 && inside.below + inside.slopes.size() > all / 2;
    if (holds_both_middles) return median_of(inside.slopes, inside.below, all);
    points = thinned(x);
  }
  std::vector<double> slopes = some_slopes(points, 1);
  return median_of(slopes, 0, all);
}

}  // namespace bench::analysis
