// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/quantiles.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "src/core/error.hpp"

namespace bench::analysis {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> ascending(values.begin(), values.end());
  const auto numbers_end =
      std::partition(ascending.begin(), ascending.end(), [](double x) { return x == x; });
  std::sort(ascending.begin(), numbers_end);
  return ascending;
}

double quantile(std::span<const double> ascending, double q) {
  BS_REQUIRE(!ascending.empty() && q >= 0.0 && q <= 1.0, "a quantile needs values and 0 <= q <= 1");
  const double at = static_cast<double>(ascending.size() - 1) * q;
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, ascending.size() - 1);
  return ascending[below] + (at - static_cast<double>(below)) * (ascending[above] - ascending[below]);
}

double median(std::span<const double> ascending) {
  return quantile(ascending, 0.5);
}

double median_absolute_deviation(std::span<const double> ascending) {
  const double middle = median(ascending);
  const auto above = std::lower_bound(ascending.begin(), ascending.end(), middle);
  std::vector<double> up, down, distance(ascending.size());  // each ascends already
  for (auto x = above; x != ascending.end(); ++x) up.push_back(*x - middle);
  for (auto x = above; x != ascending.begin(); --x) down.push_back(middle - *std::prev(x));
  std::merge(up.begin(), up.end(), down.begin(), down.end(), distance.begin());
  return median(distance);
}

double normalised_mad(std::span<const double> ascending) {
  return kMadToSd * median_absolute_deviation(ascending);
}

bool varies(std::span<const double> values) {
  constexpr double kRounding = 1e-9;
  if (values.size() < 2) return false;
  const auto [lo, hi] = std::ranges::minmax(values);
  return !(hi - lo <= kRounding * std::fabs(hi));
}

}  // namespace bench::analysis
