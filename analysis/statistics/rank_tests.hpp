// SPDX-License-Identifier: Apache-2.0
// Two samples compared by rank alone: no distribution is assumed, and an outlier counts as one value. Every
// function looks at `a` relative to `b`, so a positive effect says that a's values are the larger ones.
// An empty sample, or a value that is not finite, gives NaN: nothing can be said of it, and nothing is
// called.
#pragma once

#include <cstdint>
#include <span>

#include "analysis/statistics/ratio.hpp"

namespace bench::analysis {

struct RankTest {
  double u = 0.0;  // pairs with a_i > b_j, and half of those with a_i = b_j
  double p = 1.0;  // two-sided
};

/// Up to these bounds the p of mann_whitney is exact: 200 values together, and 25 million steps, of which
/// (n + m) 2 n m min(n, m) are needed. 50 values a side fit, and so do 20 against 150.
inline constexpr std::int64_t kExactValues = 200;
inline constexpr double kExactSteps = 2.5e7;

/// Mann & Whitney (1947). Exact: twice the smaller tail of U (at most 1) over every way to deal the observed
/// values, ties included, to the two sides (Klotz 1966; as benchstat, which does so with ties up to 9 values
/// a side). Above the bounds: mann_whitney_asymptotic. All values equal: p = 1.
RankTest mann_whitney(std::span<const double> a, std::span<const double> b);

/// z = (|U - nm/2| - 1/2) / sqrt(nm/12 (N + 1 - sum(t^3 - t) / (N (N-1)))), N = n + m, t the sizes of the tie
/// groups; p = 2 P(Z >= z), at most 1.
RankTest mann_whitney_asymptotic(std::span<const double> a, std::span<const double> b);

/// Hodges & Lehmann (1963): the median of the nm differences a_i - b_j, with the distribution-free interval
/// between the k-th smallest and the k-th largest of them, k the largest rank with 2 P(U <= k-1) <= 1 - c.
/// The coverage is the achieved one; U counts as free of ties, which can only make the interval wider. Above
/// the bounds k = floor(nm/2 - z sqrt(nm (N+1) / 12)) and the coverage is the nominal one.
/// No interval when k < 1. No memory for nm values is needed.
Estimate hodges_lehmann(std::span<const double> a, std::span<const double> b, double confidence);

/// Cliff (1993): P(a_i > b_j) - P(a_i < b_j) over all pairs, in [-1, 1].
double cliffs_delta(std::span<const double> a, std::span<const double> b);

struct KendallTau {
  double tau = 0.0;       // NaN when one side is constant
  double p = 1.0;         // two-sided, normal approximation without continuity correction
  double s = 0.0;         // concordant minus discordant pairs
  double variance = 0.0;  // of s when x and y are independent; with x = time, that of Mann & Kendall
};
/// Kendall's tau-b (1945): S / sqrt((P - ties_x)(P - ties_y)), P = n(n-1)/2 pairs, and p from
/// z = S / sqrt(Var S) with ties on both sides (Kendall 1970, ch. 4). O(n log n). x and y are of equal size;
/// anything else throws Error(internal).
KendallTau kendall_tau_b(std::span<const double> x, std::span<const double> y);

}  // namespace bench::analysis
