// SPDX-License-Identifier: Apache-2.0
// One query row in fp64, as the definition has it: what the forward and the backward oracle share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "src/core/tensor.hpp"

namespace bench::attention {

/// One number per key.
using Row = std::vector<double>;

/// factor * (x . y_j) for rows y_j, j in `keys`, of head (b, h) of y (B, H, L, D).
inline Row products(const double* x, View<const double, 4> y, std::int64_t b, std::int64_t h, KeyRange keys,
                    double factor) {
  Row row(static_cast<std::size_t>(keys.size()));
  for (std::int64_t j = keys.first; j < keys.end; ++j) {
    const double* other = &y(b, h, j, 0);
    double dot = 0.0;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t d = 0; d < y.extent[3]; ++d) dot += x[d] * other[d];
    row[static_cast<std::size_t>(j - keys.first)] = dot * factor;
  }
  return row;
}

/// y += a * x over n elements.
inline void add_scaled(double a, const double* x, std::int64_t n, double* y) {
  for (std::int64_t d = 0; d < n; ++d) y[d] += a * x[d];
}

/// Scores as the problem caps them, in place.
inline void cap(Row& s, std::int64_t softcap) {
  const auto c = static_cast<double>(softcap);
  for (double& x : s) x = softcap > 0 ? c * std::tanh(x / c) : x;
}

/// Turns scores into weights in place and returns their log-sum-exp. The maximum is subtracted only so that
/// exp stays finite; it cancels. The sum of no scores is 0.
inline double softmax(Row& s) {
  if (s.empty()) return -std::numeric_limits<double>::infinity();
  const double max = *std::max_element(s.begin(), s.end());
  double sum = 0.0;
  for (double& x : s) sum += (x = std::exp(x - max));
  for (double& x : s) x /= sum;
  return max + std::log(sum);
}

}  // namespace bench::attention
