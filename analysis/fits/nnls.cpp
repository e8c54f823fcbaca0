// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/nnls.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "analysis/fits/least_squares.hpp"
#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

/// The plain minimum with only the unknowns of `subset` (bit j: unknown j); nullopt when one of them is
/// negative or they are dependent.
std::optional<NonNegative> over(unsigned subset, std::span<const double> a, const std::vector<double>& b,
                                std::size_t columns) {
  std::vector<double> kept;
  kept.reserve(a.size());
  for (std::size_t i = 0; i < b.size(); ++i)
    for (std::size_t j = 0; j < columns; ++j)
      if ((subset >> j & 1U) != 0U) kept.push_back(a[i * columns + j]);
  const auto unknowns = static_cast<std::size_t>(std::popcount(subset));
  const std::optional<LeastSquares> plain = least_squares(std::move(kept), b, unknowns);
  if (!plain || std::ranges::any_of(plain->x, [](double x) { return x < 0.0; })) return std::nullopt;
  NonNegative result{std::vector<double>(columns, 0.0), plain->rss};
  for (std::size_t j = 0, k = 0; j < columns; ++j)
    if ((subset >> j & 1U) != 0U) result.x[j] = plain->x[k++];
  return result;
}

}  // namespace

NonNegative non_negative_least_squares(std::span<const double> a, std::span<const double> b,
                                       std::size_t columns, std::span<const double> weights) {
  BS_REQUIRE(columns >= 1 && columns <= kMostUnknowns, columns, " unknowns, 1 to ", kMostUnknowns, " can be");
  BS_REQUIRE(a.size() == b.size() * columns, "a matrix of ", b.size(), " x ", columns, " has ", a.size());
  BS_REQUIRE(weights.empty() || weights.size() == b.size(), b.size(), " rows, ", weights.size(), " weights");
  std::vector<double> scaled(a.begin(), a.end()), right(b.begin(), b.end());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double root = std::sqrt(weights[i]);
    right[i] *= root;
    for (std::size_t j = 0; j < columns; ++j) scaled[i * columns + j] *= root;
  }
  const unsigned all = (1U << columns) - 1U;
  if (std::optional<NonNegative> plain = over(all, scaled, right, columns)) return *std::move(plain);
  NonNegative best{std::vector<double>(columns, 0.0), 0.0};
  for (const double value : right) best.rss += value * value;
  for (int count = 1; count <= static_cast<int>(columns); ++count) {  // fewer first, so that they win a tie
    for (unsigned subset = 1; subset < all; ++subset) {
      if (std::popcount(subset) != count) continue;
      std::optional<NonNegative> found = over(subset, scaled, right, columns);
      if (found && found->rss < best.rss) best = *std::move(found);
    }
  }
  return best;
}

}  // namespace bench::analysis
