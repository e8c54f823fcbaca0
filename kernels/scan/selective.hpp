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
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "kernels/scan/segments.hpp"

namespace bench::scan {

struct SelectiveProblem : ScanProblem {
  std::int64_t channels = 1024;  // C
  std::int64_t state = 16;       // N
  std::int64_t groups = 1;       // G, divides C

  std::int64_t group_channels() const { return channels / groups; }
};

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
