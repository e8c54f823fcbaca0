// SPDX-License-Identifier: Apache-2.0
// A table of many comparisons finds "differences" by chance: one in twenty at 5 %. An adjusted p may be held
// against the same 5 % whatever the size of the table. A p that is NaN (no test was made) stays NaN and does
// not count towards the size. p below 0 or above 1 throws Error(internal).
#pragma once

#include <span>
#include <vector>

namespace bench::analysis {

/// Benjamini & Hochberg (1995), in the order given: for the i-th smallest of m, min over j >= i of p_j m / j,
/// at most 1. Of the differences called at level q, a share of at most q is false, on average.
std::vector<double> benjamini_hochberg(std::span<const double> p);

/// Holm (1979), in the order given: max over j <= i of p_j (m - j + 1), at most 1. The chance of even one
/// false difference in the table is at most the level.
std::vector<double> holm(std::span<const double> p);

}  // namespace bench::analysis
