// SPDX-License-Identifier: Apache-2.0
// The selective op: Mamba-1's selective scan (Gu and Dao 2023) with skip, z gate and start state.
//
//   d_t    = softplus(delta_t + delta_bias)                          per channel c
//   h_t[n] = exp(d_t A[n]) h_{t-1}[n] + d_t u_t B_t[n]               per channel and state n
//   out_t  = (sum_n C_t[n] h_t[n] + D u_t) * silu(z_t)
//
// Tensors, row-major: u, delta, z (B, L, C) and B, C (B, L, G, N) in the problem's dtype; A (C, N), negative,
// D, delta_bias (C) and h0 (B, C, N) in the state's type -> out (B, L, C) in the problem's dtype and h_last
// (B, C, N) in the state's type: fp32, or fp64 for fp64 problems. Channel c reads group c / (C / G) of B and
// C. Ranks hold contiguous runs of steps; the rest is whole on every rank. Sequences may be packed along the
// steps: segments.hpp. The backward pass: selective_bwd.hpp.
//
// With constant_b, B does not depend on the input: it is (C, N) in the state's type, a row for each channel that
// is the same at every step; with constant_c so is C. With complex = true A, B, C and the states are complex, with
// 2 Re(C_t[n] h_t[n]) in place of C_t[n] h_t[n]: these tensors have one more axis, the last, of a real and an
// imaginary part, so B_t is (B, L, G, N, 2), A (C, N, 2), h0 (B, C, N, 2). u, delta, z, D and out stay real. All of
// that is as in Mamba-1's own kernels, which have complex parts side by side along L: (B, G, N, 2 L).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "kernels/scan/segments.hpp"
#include "kernels/scan/selective_number.hpp"

namespace bench::scan {

struct SelectiveProblem : ScanProblem {
  std::int64_t channels = 1024;  // C
  std::int64_t state = 16;       // N
  std::int64_t groups = 1;       // G, divides C
  bool constant_b = false, constant_c = false;  // (C, N), the same at every step
  bool complex = false;                         // A, B, C and the states

  std::int64_t group_channels() const { return channels / groups; }
  /// Real numbers of a state.
  std::int64_t parts() const { return complex ? 2 : 1; }
  Shape of_numbers(Shape shape) const {
    if (complex) shape.push_back(2);
    return shape;
  }
  /// Of A, and of constant B and C; of h0 and its like.
  Shape row_shape() const { return of_numbers({channels, state}); }
  Shape state_shape() const { return of_numbers({batch, channels, state}); }
  /// B, C (inputs: in the problem's dtype where they have steps) and their gradients (sums: always in the state's).
  TensorSpec mixer(const char* name, bool constant, DType of_steps) const;
};

/// Why a kernel for real numbers and B and C of every step does not take a problem; empty when it does.
std::string needs_plain_mixers(const Problem& problem);

/// The sum of d over steps among which a packed sequence begins: nothing of the state before them is left.
template <class S>
inline constexpr S kForgets = std::numeric_limits<S>::infinity();

/// log(1 + e^v), as log1p so that very negative v keep their digits, and v itself beyond the usual threshold
/// of 20.
template <class S>
S softplus(S v) {
  return v > S{20} ? v : std::log1p(std::exp(v));
}

/// z * sigmoid(z).
template <class S>
S silu(S z) {
  return z / (S{1} + std::exp(-z));
}

/// The fp64 oracle: the formulas above, step by step. Inputs in fp64; outputs out at `rows`, and h_last. For
/// a backward problem that of selective_bwd.hpp.
Tensors selective_reference(const Problem& problem, const Tensors& inputs,
                            std::span<const std::int64_t> rows);

}  // namespace bench::scan
