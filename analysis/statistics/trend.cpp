// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/trend.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <utility>
#include <vector>

#include "analysis/statistics/falls.hpp"
#include "analysis/statistics/quantiles.hpp"

namespace bench::analysis {
namespace {

bool all_finite(std::span<const double> x) {
  return std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); });
}

double two_sided_normal_p(double z) {
  return std::erfc(std::abs(z) / std::numbers::sqrt2);
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
  std::vector<std::pair<double, std::size_t>> order;  // value and index together: sorted without look-ups
  order.reserve(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) order.emplace_back(x[i], i);
  std::sort(order.begin(), order.end());
  std::vector<std::int64_t> ranks(x.size());
  const auto value_at = [&](std::size_t i) { return order[i].first; };
  for_each_tie(x.size(), value_at, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i)
      ranks[order[i].second] = static_cast<std::int64_t>(first + 1 + last);
  });
  return ranks;
}

}  // namespace

MannKendall mann_kendall(std::span<const double> x) {
  if (x.size() < 2 || !all_finite(x)) return {};
  std::vector<double> ascending(x.begin(), x.end()), spare(x.size());
  const std::int64_t falls = sort_and_count_falls<double>(ascending, spare);
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

RunsTest runs_test(std::span<const double> x) {
  return x.empty() ? RunsTest{} : runs_test(x, median(sorted(x)));
}

RunsTest runs_test(std::span<const double> x, double median) {
  RunsTest test;
  if (x.empty() || !all_finite(x)) return test;
  bool was_above = false;
  for (const double value : x) {
    if (value == median) continue;
    const bool is_above = value > median;
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
