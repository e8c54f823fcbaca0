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
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

/// log x for x > 0 in fp64; zeros and negative values count as 1e-300.
at::Tensor log_of_positive(const at::Tensor& x) {
  return x.to(at::kDouble).clamp_min_(1e-300).log_();
}

/// The recurrence of the positive parts of h0 and b under positive decays, whose sums of logarithms are log_a.
at::Tensor positive_part(const at::Tensor& log_a, const at::Tensor& b, const at::Tensor& h0, int axis) {
  const at::Tensor terms = at::cat({log_of_positive(h0).unsqueeze(axis), log_of_positive(b).sub_(log_a)}, axis);
  return at::logcumsumexp(terms, axis).narrow(axis, 1, log_a.size(axis)).add(log_a).exp_();
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const int axis = problem_as<RecurrenceProblem>(problem).time_axis();
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  const at::Tensor a = as_torch(tensors["a"]), h0 = as_torch(tensors["h0"]);
  const at::Tensor log_a = log_of_positive(a.abs()).cumsum(axis);
  const at::Tensor sign = at::where(a.lt(0.0), -1.0, 1.0).to(at::kFloat).cumprod(axis);
  const at::Tensor b = as_torch(tensors["b"]) * sign;
  at::Tensor h = as_torch(tensors["h"]);
  h.copy_(positive_part(log_a, b, h0, axis).sub_(positive_part(log_a, -b, -h0, axis)).mul_(sign));
  as_torch(tensors["h_last"]).copy_(h.select(axis, h.size(axis) - 1));
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_heinsen_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f32},
    .about = "LibTorch logcumsumexp in fp64, no loop (Heinsen)",
    .supports = needs_one_sequence,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
