// SPDX-License-Identifier: Apache-2.0
// The selective op's backward pass: its tensors, fp64 oracle, cost and tolerance. With v = delta +
// delta_bias, d = softplus(v), y the result before the gate, gy = dout silu(z), from the last step to the
// first:
//
//   r_t[n] = gy_t C_t[n] + exp(d_{t+1} A[n]) r_{t+1}[n]     (after the last step dh_last stands for the
//   product) c_t[n] = exp(d_t A[n]) h_{t-1}[n] dC_t[n] = sum_c gy_t h_t[n],  dB_t[n] = sum_c r_t[n] d_t u_t
//   over the channels c of a group du_t = D gy_t + d_t sum_n r_t[n] B_t[n] ddelta_t = (u_t sum_n r_t[n]
//   B_t[n] + sum_n r_t[n] A[n] c_t[n]) * (sigmoid(v_t), or 1 where v_t > 20) dz_t = dout_t y_t sigmoid(z_t)
//   (1 + z_t (1 - sigmoid(z_t))) dA[n] = sum r_t[n] d_t c_t[n],  dD = sum gy_t u_t,  ddelta_bias = sum
//   ddelta_t    over entries and steps dh0[n] = exp(d_1 A[n]) r_1[n]
//
// Where a packed sequence begins (segments.hpp) the decay is zero in all of these, and so is c.
//
// Constant B or C: its gradient is that sum over the entries and steps of each channel, (C, N). Complex: a gradient's parts are the derivatives by the parts,
// so conjugates stand in these formulas (selective_number.hpp): r_t = 2 gy_t conj(C_t) + conj(exp(d_{t+1} A)) r_{t+1}, dC_t = 2 gy_t conj(h_t),
// sum Re(r_t conj(B_t)) for r_t B_t, Re(r_t conj(A c_t)) for r_t A c_t, and dA = sum r_t d_t conj(c_t).
//
// Tensors: the inputs of the forward pass, dout (B, L, C) in the problem's dtype and dh_last (B, C, N) in the
// state's type -> du, ddelta, dz (B, L, C) in the problem's dtype; dB, dC (B, L, G, N), dA (C, N), dD,
// ddelta_bias (C) and dh0 (B, C, N), sums all, in the state's type. Nothing but the inputs was saved: the
// states are computed again, and that is timed. Ranks hold contiguous runs of steps; what has no steps is
// whole on every rank.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/scan/selective.hpp"

namespace bench::scan {

/// 1 / (1 + e^-x).
template <class S>
S sigmoid(S x) {
  return S{1} / (S{1} + std::exp(-x));
}

/// The derivative of silu.
template <class S>
S silu_slope(S z) {
  const S s = sigmoid(z);
  return s * (S{1} + z * (S{1} - s));
}

/// The derivative of softplus, with its threshold.
template <class S>
S softplus_slope(S v) {
  return v > S{20} ? S{1} : sigmoid(v);
}

/// dout and dh_last, which a backward problem has besides the forward inputs.
std::vector<TensorSpec> selective_bwd_more_inputs(const SelectiveProblem& p);
std::vector<TensorSpec> selective_bwd_outputs(const SelectiveProblem& p);

/// The formulas above in fp64; outputs with steps at `rows`, the others whole.
Tensors selective_bwd_reference(const SelectiveProblem& p, const Tensors& inputs,
                                std::span<const std::int64_t> rows);

/// What the costs of both passes are made of: numbers as doubles, and bytes of whole tensors.
struct SelectiveSizes {
  double channels, state, rows;  // rows: steps of all entries
  double decay_exps;             // of all states of a step and channel
  double steps_bytes, row_bytes, state_bytes, channel_bytes;  // of u, A, h0, D
  double b_bytes, c_bytes, db_bytes, dc_bytes;
  explicit SelectiveSizes(const SelectiveProblem& p);
};

/// Bytes: every tensor once. FLOPs: 20 a step and state, 6 of them for the states; where a packed sequence
/// begins 10, as nothing is decayed (d A; e h +; r +; r A c +; r d c +; e r). Complex: 52, 16 for the states, and 32 less. Exps: those of the decays, three for
/// softplus and its slope, two for the gate. Wire: the N states per batch entry and channel, towards the last rank and their
/// gradients towards the first, and this rank's part of dA, dD and ddelta_bias, and of dB and dC where those are constant; independent of L.
Cost selective_bwd_cost(const SelectiveProblem& p);

/// Three times the forward pass's 80 eps: a gradient is a product of a sum like h with another such sum, or a
/// sum of such products, so where the two largest do not meet, an error of the one is magnified by the other. Complex: three times its, likewise.
double selective_bwd_tolerance(const SelectiveProblem& p, std::string_view output);

}  // namespace bench::scan
