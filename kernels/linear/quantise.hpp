// SPDX-License-Identifier: Apache-2.0
// Weights as small integers: what the recipes mean, once for every kernel and for the oracle.
//
// A weight is worth scale * code + zero, one scale and zero per output channel and group of inputs:
//   int8  code in -127..127, scale = max|w| / 127, zero = 0
//   int4  code in -8..7, scale = (max - min) / 15, zero = min + 8 scale (or that of HQQ)
// Scales and zeros are rounded to the layer's dtype before the codes are chosen, as layers store them (and as
// LibTorch's packed operators take them). Weights must be finite.
//
// HQQ: half-quadratic quantisation (Badri and Shaji, 2023). Alternates between w_e = shrink(w - w_r), a
// sparsity-promoting estimate of the errors that are outliers (l_p with p = 0.7), and the zero point that
// fits the rest best, zero = mean(w - w_e - scale * code). Ours works in units of the scale and keeps the
// best zero point seen, by mean |w - w_r|, so that it never does worse by that measure than none at all.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/linear/recipe.hpp"
#include "src/core/tensor.hpp"

namespace bench::linear {

/// An (N, K) matrix in codes, one a byte.
struct Quantised {
  Recipe recipe;
  std::int64_t n = 0, k = 0;
  std::vector<std::int8_t> codes;  // (N, K)
  std::vector<float> scale, zero;  // (N, groups)

  std::int64_t groups() const { return recipe.groups(k); }
  float value(std::int64_t row, std::int64_t column) const;
};

/// Quantises `w` (N, K), of any dtype; scales and zeros are rounded to `stored`. `threads` share the rows,
/// the result is the same for any number of them. recipe.quantised() must hold.
Quantised quantise(const Tensor& w, const Recipe& recipe, DType stored, std::int64_t threads);

/// What the weights lost, relative to their size.
struct QuantisationError {
  double rms = 0.0;      // |w - w_r|_2 / |w|_2
  double largest = 0.0;  // max|w - w_r| / max|w|
};
QuantisationError quantisation_error(const Tensor& w, const Quantised& quantised);

}  // namespace bench::linear
