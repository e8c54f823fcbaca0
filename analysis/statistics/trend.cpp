// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/trend.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <numeric>
#include <vector>

#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

constexpr std::size_t kMostSlopePoints = 1024;

bool all_finite(std::span<const double> x) {
  return std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); });
}

double two_sided_normal_p(double z) {
  return std::erfc(std::abs(z) / std::numbers::sqrt2);
}

/// Sorts `x` and returns how many pairs were strictly falling. `spare` is as long as x.
std::int64_t sort_and_count_falls(std::span<double> x, std::span<double> spare) {
  if (x.size() < 2) return 0;
  const std::size_t half = x.size() / 2;
  std::int64_t falls = sort_and_count_falls(x.first(half), spare.first(half)) +
                       sort_and_count_falls(x.subspan(half), spare.subspan(half));
  std::size_t left = 0, right = half;
  for (double& merged : spare) {
    const bool from_right = right < x.size() && (left == half || x[right] < x[left]);
    if (from_right) falls += static_cast<std::int64_t>(half - left);
    merged = from_right ? x[right++] : x[left++];
  }
  std::copy(spare.begin(), spare.end(), x.begin());
  return falls;
}

/// Calls `group(first, last)` with the 0-based half-open range of each run of equal values.
template <class Group>
void for_each_tie(std::size_t n, const auto& value_at, Group&& group) {
  for (std::size_t first = 0, last = 0; first < n; first = last) {
    while (last < n && value_at(last) == value_at(first)) ++last;
    group(first, last);
  }
}

/// Twice the mean rank (1-based) of each value: an integer even for ties.
std::vector<std::int64_t> doubled_ranks(std::span<const double> x) {
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [x](std::size_t a, std::size_t b) { return x[a] < x[b]; });
  std::vector<std::int64_t> ranks(x.size());
  const auto value_at = [&](std::size_t i) { return x[order[i]]; };
  for_each_tie(x.size(), value_at, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = static_cast<std::int64_t>(first + 1 + last);
  });
  return ranks;
}

/// The series' values and indices that the slope is taken over.
struct Points {
  std::vector<double> at, value;
};
Points thinned(std::span<const double> x) {
  const std::size_t count = std::min(x.size(), kMostSlopePoints);
  Points points;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * (x.size() - 1) / (count - 1);
    points.at.push_back(static_cast<double>(at));
    points.value.push_back(x[at]);
  }
  return points;
}

/// The median of values that are too many to sort for it.
double median_by_selection(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2.0;
}

}  // namespace

MannKendall mann_kendall(std::span<const double> x) {
  if (x.size() < 2 || !all_finite(x)) return {};
  std::vector<double> ascending(x.begin(), x.end()), spare(x.size());
  const std::int64_t falls = sort_and_count_falls(ascending, spare);
  const auto spread = [](double count) { return count * (count - 1.0) * (2.0 * count + 5.0); };
  const auto n = static_cast<std::int64_t>(x.size());
  std::int64_t tied_pairs = 0;
  double tied_spread = 0.0;
  const auto value_at = [&](std::size_t i) { return ascending[i]; };
  for_each_tie(x.size(), value_at, [&](std::size_t first, std::size_t last) {
    const auto count = static_cast<std::int64_t>(last - first);
    tied_pairs += count * (count - 1) / 2;
    tied_spread += spread(static_cast<double>(count));
  });
  MannKendall test;
  test.s = n * (n - 1) / 2 - tied_pairs - 2 * falls;
  test.variance = (spread(static_cast<double>(n)) - tied_spread) / 18.0;
  if (test.s == 0 || test.variance <= 0.0) return test;
  test.z = static_cast<double>(test.s > 0 ? test.s - 1 : test.s + 1) / std::sqrt(test.variance);
  test.p = two_sided_normal_p(test.z);
  return test;
}

double theil_sen_slope(std::span<const double> x) {
  if (x.size() < 2 || !all_finite(x)) return 0.0;
  const Points points = thinned(x);
  const std::size_t n = points.at.size();
  std::vector<double> slopes;
  slopes.reserve(n * (n - 1) / 2);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j)
      slopes.push_back((points.value[j] - points.value[i]) / (points.at[j] - points.at[i]));
  return median_by_selection(slopes);
}

RunsTest runs_test(std::span<const double> x) {
  RunsTest test;
  if (x.empty() || !all_finite(x)) return test;
  const double middle = median(sorted(x));
  bool was_above = false;
  for (const double value : x) {
    if (value == middle) continue;
    const bool is_above = value > middle;
    if (test.runs == 0 || is_above != was_above) ++test.runs;
    ++(is_above ? test.above : test.below);
    was_above = is_above;
  }
  const auto above = static_cast<double>(test.above), below = static_cast<double>(test.below);
  const double n = above + below, twice = 2.0 * above * below;
  if (twice <= n) return test;  // one value a side at most: the number of runs is certain
  const double variance = twice * (twice - n) / (n * n * (n - 1.0));
  test.z = (static_cast<double>(test.runs) - (twice / n + 1.0)) / std::sqrt(variance);
  test.p = two_sided_normal_p(test.z);
  return test;
}

Pettitt pettitt(std::span<const double> x) {
  Pettitt test;
  if (x.size() < 2 || !all_finite(x)) return test;
  const std::vector<std::int64_t> ranks = doubled_ranks(x);
  const auto size = static_cast<std::int64_t>(x.size());
  std::int64_t u = 0;
  for (std::int64_t t = 0; t + 1 < size; ++t) {
    u += ranks[static_cast<std::size_t>(t)] - (size + 1);
    if (std::abs(u) <= test.k) continue;
    test.k = std::abs(u);
    test.index = t;
  }
  const auto n = static_cast<double>(size), k = static_cast<double>(test.k);
  test.p = std::min(1.0, 2.0 * std::exp(-6.0 * k * k / (n * n * n + n * n)));
  return test;
}

}  // namespace bench::analysis
