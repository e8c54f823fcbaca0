// SPDX-License-Identifier: Apache-2.0
// Non-negative least squares for a handful of unknowns.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bench::analysis {

inline constexpr std::size_t kMostUnknowns = 4;

struct NonNegative {
  std::vector<double> x;  // >= 0
  double rss = 0.0;       // sum of w (A x - b)^2
};

/// Minimises the sum over rows of w (A x - b)^2 over x >= 0; no weights are weights of 1. A is row-major with
/// b.size() rows of `columns` <= kMostUnknowns values. When the plain minimum is not negative it is the
/// answer; else every subset of unknowns that may be above 0 is solved, and the best that has no negative one
/// is the answer: the problem is convex, so its minimum is the plain minimum over its own support (Lawson &
/// Hanson 1974, chapter 23, search for that support; 15 subsets need no search). Of equal minima the one with
/// fewer unknowns above 0 is taken. Throws Error(internal) for other shapes.
NonNegative non_negative_least_squares(std::span<const double> a, std::span<const double> b,
                                       std::size_t columns, std::span<const double> weights = {});

}  // namespace bench::analysis
