// SPDX-License-Identifier: Apache-2.0
#include "analysis/fits/least_squares.hpp"

#include <cmath>

#include "src/core/error.hpp"

namespace bench::analysis {
namespace {

constexpr double kDependent = 1e-12;  // of a column that is left after the others are taken out of it

/// A matrix and its right-hand side while they are reflected into a triangle.
struct System {
  std::vector<double>& a;
  std::vector<double>& b;
  std::size_t columns;

  double& at(std::size_t row, std::size_t column) { return a[row * columns + column]; }
  double norm(std::size_t column, std::size_t from) {
    double squares = 0.0;
    for (std::size_t i = from; i < b.size(); ++i) squares += at(i, column) * at(i, column);
    return std::sqrt(squares);
  }
};

/// Reflects column k onto its first k + 1 rows; `length` is its norm from row k down.
void reflect(System& system, std::size_t k, double length) {
  const double head = system.at(k, k), corner = head > 0.0 ? -length : length;
  const double scale = corner * (corner - head);  // v^T v / 2 of v = column - corner e_k
  const auto apply = [&](auto&& value) {
    double dot = (head - corner) * value(k);
    for (std::size_t i = k + 1; i < system.b.size(); ++i) dot += system.at(i, k) * value(i);
    const double factor = dot / scale;
    value(k) -= factor * (head - corner);
    for (std::size_t i = k + 1; i < system.b.size(); ++i) value(i) -= factor * system.at(i, k);
  };
  for (std::size_t j = k + 1; j < system.columns; ++j)
    apply([&](std::size_t i) -> double& { return system.at(i, j); });
  apply([&](std::size_t i) -> double& { return system.b[i]; });
  system.at(k, k) = corner;
  for (std::size_t i = k + 1; i < system.b.size(); ++i) system.at(i, k) = 0.0;
}

}  // namespace

std::optional<LeastSquares> least_squares(std::vector<double> a, std::vector<double> b, std::size_t columns) {
  BS_REQUIRE(a.size() == b.size() * columns, "a matrix of ", b.size(), " x ", columns, " has ", a.size());
  if (b.size() < columns) return std::nullopt;
  System system{a, b, columns};
  std::vector<double> whole;
  for (std::size_t k = 0; k < columns; ++k) whole.push_back(system.norm(k, 0));
  for (std::size_t k = 0; k < columns; ++k) {
    const double length = system.norm(k, k);
    if (!(length > kDependent * whole[k])) return std::nullopt;
    reflect(system, k, length);
  }
  LeastSquares result{std::vector<double>(columns), 0.0, {}};
  result.r.assign(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(columns * columns));
  for (std::size_t k = columns; k-- > 0;) {
    double rest = b[k];
    for (std::size_t j = k + 1; j < columns; ++j) rest -= system.at(k, j) * result.x[j];
    result.x[k] = rest / system.at(k, k);
  }
  for (std::size_t i = columns; i < b.size(); ++i) result.rss += b[i] * b[i];
  return result;
}

std::vector<double> inverse_gram_diagonal(std::span<const double> r, std::size_t columns) {
  std::vector<double> diagonal(columns, 0.0), column(columns);
  for (std::size_t k = 0; k < columns; ++k) {  // column k of R^-1
    for (std::size_t i = k + 1; i-- > 0;) {
      double rest = i == k ? 1.0 : 0.0;
      for (std::size_t j = i + 1; j <= k; ++j) rest -= r[i * columns + j] * column[j];
      column[i] = rest / r[i * columns + i];
      diagonal[i] += column[i] * column[i];
    }
  }
  return diagonal;
}

}  // namespace bench::analysis
