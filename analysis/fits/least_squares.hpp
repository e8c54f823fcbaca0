// SPDX-License-Identifier: Apache-2.0
// Small dense least squares, the floor of every fit here: Householder's reflections on a handful of columns.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace bench::analysis {

/// The x that minimises |A x - b|^2, that minimum, and R of A = Q R (row-major, columns x columns).
struct LeastSquares {
  std::vector<double> x;
  double rss = 0.0;
  std::vector<double> r;
};

/// A is row-major with b.size() rows of `columns` values. Householder QR (Golub & Van Loan, 5.2): it squares
/// no condition number, which normal equations do. nullopt when there are fewer rows than columns, or when a
/// column is to 1e-12 a sum of those before it. Throws Error(internal) when a does not have the shape.
std::optional<LeastSquares> least_squares(std::vector<double> a, std::vector<double> b, std::size_t columns);

/// Diagonal of (A^T A)^-1 from R: times the residual variance, the variances of x.
std::vector<double> inverse_gram_diagonal(std::span<const double> r, std::size_t columns);

}  // namespace bench::analysis
