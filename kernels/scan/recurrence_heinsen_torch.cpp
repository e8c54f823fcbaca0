// SPDX-License-Identifier: Apache-2.0
// recurrence_heinsen_torch: h_t = a_t * h_{t-1} + b_t without a loop, by sums of logarithms.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp. fp32 only.
//
// Algorithm: Heinsen 2023 ("Efficient parallelization of a ubiquitous sequential computation"): with A_t the
// sum of log a up to t, h_t = exp(A_t + log(h_0 + sum_s b_s exp(-A_s))), whose inner sum is LibTorch's
// logcumsumexp over (log h_0, log b_s - A_s). Values of either sign need complex logarithms. Zeros stand for
// 1e-300, or their logarithms would be subtracted from each other.
//
// Work and bytes: four logarithms and exponentials a step in complex128, some ten passes over 16-byte
// elements.
//
// Error against fp64: the |A_t| eps that a difference of large sums loses. In complex64 that was 1e-4 of the
// largest state at L = 4096, beyond the op's tolerance by a factor of 26 and not faster on a CPU, so this is
// complex128, where it is below the rounding to fp32. For the same reason fp64 problems are not taken.
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

/// The complex logarithm: that of |x|, and pi where x is negative.
at::Tensor complex_log(const at::Tensor& x) {
  const at::Tensor wide = x.to(at::kDouble);
  return at::complex(wide.abs().clamp_min_(1e-300).log_(), wide.lt(0.0).to(at::kDouble).mul_(3.141592653589793));
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const int axis = problem_as<RecurrenceProblem>(problem).time_axis();
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  const at::Tensor log_a = complex_log(as_torch(tensors["a"])).cumsum(axis);
  const at::Tensor log_b = complex_log(as_torch(tensors["b"])).sub_(log_a);
  const at::Tensor terms = at::cat({complex_log(as_torch(tensors["h0"])).unsqueeze(axis), log_b}, axis);
  const at::Tensor sums = at::logcumsumexp(terms, axis).narrow(axis, 1, log_a.size(axis));
  at::Tensor h = as_torch(tensors["h"]);
  h.copy_(at::real((log_a + sums).exp_()));
  as_torch(tensors["h_last"]).copy_(h.select(axis, h.size(axis) - 1));
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_heinsen_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f32},
    .about = "LibTorch logcumsumexp in complex128, no loop (Heinsen)",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
