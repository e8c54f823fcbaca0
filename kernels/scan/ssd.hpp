// SPDX-License-Identifier: Apache-2.0
// The ssd op: Mamba-2's state-space scan (Dao and Gu 2024, "state-space duality"), one decay a head and step.
//
//   d_t = softplus(dt_t + dt_bias), within dt_limit                  per head h
//   S_t = exp(d_t A) S_{t-1} + d_t x_t B_t^T                         per head, P x N
//   out_t = S_t C_t + D x_t, gated: (S_t C_t + D x_t) * silu(z_t)    per head, P
//
// Tensors, row-major: x, gated also z (B, L, H, P), dt (B, L, H) and B, C (B, L, G, N) in the problem's
// dtype; A (H), negative, D, dt_bias (H) and h0 (B, H, P, N) in the state's type -> out (B, L, H, P) in the
// problem's dtype and h_last (B, H, P, N) in the state's type: fp32, or fp64 for fp64 problems. Head h reads
// group h / (H / G) of B and C. Ranks hold contiguous runs of steps; the rest is whole on every rank. Sequences may
// be packed along the steps: segments.hpp. The backward pass: ssd_bwd.hpp.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/scan/scan.hpp"
#include "kernels/scan/segments.hpp"
#include "kernels/scan/ssd_step.hpp"

namespace bench::scan {

struct SsdProblem : ScanProblem {
  std::int64_t heads = 16;     // H
  std::int64_t head_dim = 64;  // P, rows of a head's state
  std::int64_t state = 128;    // N, columns of a head's state
  std::int64_t groups = 1;     // G, divides H
  bool gated = false;          // by silu(z)
  StepLimits<double> limits;   // dt_limit

  std::int64_t group_heads() const { return heads / groups; }
  std::int64_t head_states() const { return head_dim * state; }
};

/// One rank's tensors with their types.
template <class T>
struct SsdViews {
  using S = StateOf<T>;
  View<const T, 4> x;     // (B, l, H, P), l this rank's steps
  View<const T, 4> z;     // the same if gated, else null; null in a backward problem
  View<const T, 3> dt;    // (B, l, H)
  View<const T, 4> b, c;  // (B, l, G, N)
  const S* a;             // (H)
  const S* skip;          // D (H)
  const S* bias;          // dt_bias (H)
  View<T, 4> out;         // (B, l, H, P); in a backward problem dz, if gated, for the result before the gate
  Segments segments;
  StepLimits<S> limits;

  /// Tensors of another rank or element size than above are an internal error.
  SsdViews(const SsdProblem& p, Tensors& tensors) : segments(p.segments()), limits(p.limits.as<S>()) {
    const Tensors& in = tensors;
    x = view<T, 4>(in["x"]), dt = view<T, 3>(in["dt"]);
    if (p.gated && !p.backward()) z = view<T, 4>(in["z"]);
    b = view<T, 4>(in["B"]), c = view<T, 4>(in["C"]);
    a = in["A"].as<S>(), skip = in["D"].as<S>(), bias = in["dt_bias"].as<S>();
    out = view<T, 4>(tensors[p.backward() ? "dz" : "out"]);
  }
  bool gated() const { return z.data != nullptr; }
  std::int64_t rows() const { return x.extent[1]; }
  std::int64_t heads() const { return x.extent[2]; }
  std::int64_t head_dim() const { return x.extent[3]; }
  std::int64_t states() const { return b.extent[3]; }
  std::int64_t group_of(std::int64_t head) const { return head / (heads() / b.extent[2]); }
};

/// The fp64 oracle: the formulas above, step by step. Inputs in fp64; outputs out at `rows`, and h_last. For
/// a backward problem that of ssd_bwd.hpp.
Tensors ssd_reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::scan
