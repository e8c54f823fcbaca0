// SPDX-License-Identifier: Apache-2.0
// recurrence_heinsen_torch: h_t = a_t * h_{t-1} + b_t without a loop, by sums of logarithms.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp. fp32 only.
//
// Algorithm: Heinsen 2023 ("Efficient parallelization of a ubiquitous sequential computation"): with A_t the
// sum of log a up to t, h_t = exp(A_t + log(h_0 + sum_s b_s exp(-A_s))), whose inner sum is LibTorch's
// logcumsumexp over (log h_0, log b_s - A_s). Positive and negative b go apart, the signs of a are a cumulative
// product. (Complex logarithms, as in the paper, take as long, and LibTorch's complex logcumsumexp gives NaN where
// exponents differ by some 700.) Zeros stand for 1e-300, or their logarithms would be subtracted from each other.
//
// Work and bytes: seven logarithms and exponentials a step in fp64, some twenty passes over 8-byte elements.
//
// Error against fp64: the |A_t| eps that a difference of large sums loses. In fp32 that was 1e-4 of the largest
// state at L = 4096, beyond the op's tolerance by a factor of 26 and not faster on a CPU, so this computes in fp64,
// where it is below the rounding to fp32. For the same reason fp64 problems are not taken.
//
// Right choice: as the form without a loop that a LibTorch user finds in the literature. On a CPU the loop of
// recurrence_loop_torch is some 25 times faster.
#include "kernels/scan/recurrence_torch.hpp"

namespace bench::scan {
namespace {

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_heinsen_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f32},
    .about = "LibTorch logcumsumexp in fp64, no loop (Heinsen)",
    .supports = needs_one_real_sequence,
    .prepare = prepare_on_host<RecurrenceHeinsen>,
    .run = run_on_host<RecurrenceHeinsen>,
}};

}  // namespace
}  // namespace bench::scan
