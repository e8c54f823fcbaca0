// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics/multiplicity.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

/// Positions of the p values that are numbers, the smallest first.
std::vector<std::size_t> ascending_positions(std::span<const double> p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (std::isnan(p[i])) continue;
    BS_REQUIRE(p[i] >= 0.0 && p[i] <= 1.0, "a p value lies between 0 and 1, not at ", p[i]);
    order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return p[i] < p[j]; });
  return order;
}

}  // namespace

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending_positions(p);
  const auto m = static_cast<double>(order.size());
  std::vector<double> adjusted(p.begin(), p.end());
  double smallest = 1.0;
  for (std::size_t rank = order.size(); rank >= 1; --rank) {
    const std::size_t i = order[rank - 1];
    smallest = std::min(smallest, p[i] * m / static_cast<double>(rank));
    adjusted[i] = smallest;
  }
  return adjusted;
}

std::vector<double> holm(std::span<const double> p) {
  const std::vector<std::size_t> order = ascending_positions(p);
  std::vector<double> adjusted(p.begin(), p.end());
  double largest = 0.0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t i = order[rank];
    largest = std::max(largest, std::min(1.0, p[i] * static_cast<double>(order.size() - rank)));
    adjusted[i] = largest;
  }
  return adjusted;
}

}  // namespace bench::analysis
