// SPDX-License-Identifier: Apache-2.0
// The recurrence op's backward pass: its tensors, fp64 oracle, cost and tolerance. With g = dh, the gradient
// of a loss by h, and dh_last that by h_last, from the last step to the first:
//
//   r_t = g_t + a_{t+1} r_{t+1}      (a_{L+1} r_{L+1} is dh_last)
//   db_t = r_t,   da_t = r_t h_{t-1} (before the first step h is h0),   dh0 = a_1 r_1
//
// Complex: conj(a) and conj(h) in place of a and h, so that a gradient's parts are the derivatives by the parts.
//
// Tensors: a, h, dh (B, L, C) in the problem's dtype, h0, dh_last (B, C) in the state's type -> da, db (B, L,
// C) and dh0 (B, C), alike. h is what the forward pass saved, so nothing of that pass is timed. It is drawn
// like any other input: every h is the forward result of one b, b_t = h_t - a_t h_{t-1}, and b itself is not
// needed. Where a packed sequence begins, h_{t-1} is zero for da_t, and a_t r_t goes no further back. Ranks hold contiguous runs of steps; h0, dh_last and dh0 are whole on every rank.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/scan/recurrence.hpp"

namespace bench::scan {

std::vector<TensorSpec> recurrence_bwd_inputs(const RecurrenceProblem& p);
std::vector<TensorSpec> recurrence_bwd_outputs(const RecurrenceProblem& p);

/// The formulas above in fp64: da, db at `rows`, and dh0.
Tensors recurrence_bwd_reference(const RecurrenceProblem& p, const Tensors& inputs,
                                 std::span<const std::int64_t> rows);

/// Bytes: a, h and dh read, da and db written once, and three rows of states. FLOPs: 3 a step (a r + g; r h), of complex numbers 14,
/// none of them where a packed sequence begins.
/// Wire: one state per batch entry and channel towards the first rank, and one row of h, which the next
/// rank's first step needs, towards the last; independent of L.
Cost recurrence_bwd_cost(const RecurrenceProblem& p);

/// Three times the forward pass's 32 eps: da is a product of a sum like h with an h, so where the two largest
/// of them do not meet, an error of the one is magnified by the other against max|da|. Complex: three times that, as forward.
double recurrence_bwd_tolerance(const RecurrenceProblem& p, std::string_view output);

}  // namespace bench::scan
