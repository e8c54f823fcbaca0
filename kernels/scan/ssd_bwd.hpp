// SPDX-License-Identifier: Apache-2.0
// The ssd op's backward pass: its tensors, fp64 oracle, cost and tolerance. With v = dt + dt_bias, d =
// softplus(v) within dt_limit, e = exp(d A), from the last step to the first, per head:
//
//   R_t = dout_t C_t^T + e_{t+1} R_{t+1}                 (P x N; after the last step dh_last for the product)
//   w_t = x_t^T R_t B_t,  u_t = <R_t, e_t S_{t-1}>       (numbers)
//   dx_t = D dout_t + d_t R_t B_t
//   ddt_t = (w_t + A u_t) * (sigmoid(v_t), or 1 where v_t > 20, or 0 where a limit holds d_t)
//   dB_t = sum_h d_t R_t^T x_t,  dC_t = sum_h S_t^T dout_t     over the heads h of a group
//   dA = sum d_t u_t,  dD = sum dout_t . x_t,  ddt_bias = sum ddt_t     over entries and steps
//   dh0 = e_1 R_1
//
// Gated, dout_t stands for dout_t silu(z_t) in all of these, and with y_t the result before the gate
//
//   dz_t = dout_t y_t sigmoid(z_t) (1 + z_t (1 - sigmoid(z_t)))
//
// Where a packed sequence begins (segments.hpp) e_t is zero in all of these.
//
// Tensors: the inputs of the forward pass, dout (B, L, H, P) in the problem's dtype and dh_last (B, H, P, N)
// in the state's type -> dx, gated also dz (B, L, H, P), ddt (B, L, H) in the problem's dtype; dB, dC (B, L, G, N), dA, dD,
// ddt_bias (H) and dh0 (B, H, P, N), sums all, in the state's type. Nothing but the inputs was saved: the
// states are computed again, and that is timed.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/scan/ssd.hpp"

namespace bench::scan {

/// dout and dh_last, which a backward problem has besides the forward inputs.
std::vector<TensorSpec> ssd_bwd_more_inputs(const SsdProblem& p);
std::vector<TensorSpec> ssd_bwd_outputs(const SsdProblem& p);

/// The formulas above in fp64; outputs with steps at `rows`, the others whole.
Tensors ssd_bwd_reference(const SsdProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows);

/// Bytes: every tensor once. FLOPs: 10 a step and element of state: S again, dC, R, dx, dB; u needs none, it
/// is a running sum of w and of C . dC; two less where a packed sequence begins and nothing is added to. Exps: one more than the forward pass's three, softplus' slope.
/// Gated, y is made again, 2 FLOPs an element of state, z is read, dz written, and two exps an element go into the gate. Wire:
/// the states towards the last rank and their gradients towards the first, and this rank's part of dA, dD and
/// ddt_bias; independent of L.
Cost ssd_bwd_cost(const SsdProblem& p);

/// Three times the forward pass's 160 eps: a gradient is a product of a sum like S with another such sum, or
/// a sum of such products, so where the two largest do not meet, an error of the one is magnified by the
/// other. Four times that for dA and ddt_bias: every chunked form, automatic differentiation's too, has u as
/// a running sum, whose rounding errors stay in it up to the end of a chunk, and adds it up over the steps.
double ssd_bwd_tolerance(const SsdProblem& p, std::string_view output);

}  // namespace bench::scan
