// SPDX-License-Identifier: Apache-2.0
// The linear op: y = activation(norm(x) w^T + bias), with the weights as they are or quantised; most layers have
// neither norm nor activation (fused.hpp).
//
// Tensors, row-major: x (M, K), w (N, K), bias (N) -> y (M, N), all in the problem's dtype. w is given whole;
// a kernel packs or quantises it in prepare, which is not timed: weights are constants of a layer. For a
// quantised recipe the right answer is the fp64 product with the dequantised weights of quantise.hpp, so the
// check is about the kernel; what the recipe itself costs in accuracy is linear_figures' to say.
//
// fp64 problems have no kernel; their recipes quantise the weights rounded to fp32.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/linear/fused.hpp"
#include "kernels/linear/quantise.hpp"
#include "kernels/problem.hpp"

namespace bench::linear {

struct LinearProblem : Problem {
  std::int64_t m = 1;     // rows of x: tokens
  std::int64_t n = 4096;  // outputs
  std::int64_t k = 4096;  // inputs
  Recipe recipe;
  Norm norm = Norm::none;
  Activation activation = Activation::none;
};

/// Bytes of the weights as the recipe stores them: codes, scales and zero points.
std::int64_t weight_bytes(const LinearProblem& problem);

/// The fp64 oracle: inputs x, w, bias in fp64; output y at `rows` of x.
Tensors linear_reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

/// What the recipe costs in accuracy, from the oracle's answer and the one with full-width weights, over the same rows:
/// quantisation_error = sum|y_q - y| / sum|y|, quantisation_snr = 10 log10(sum y^2 / sum (y_q - y)^2) dB.
std::vector<Figure> linear_figures(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows,
                                   const Tensors& quantised);

}  // namespace bench::linear
