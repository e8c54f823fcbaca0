// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_torch: h_t = a_t * h_{t-1} + b_t as a loop over steps of LibTorch's fused addcmul.
//
// Shapes: a, b, h (B, L, C); h0, h_last (B, C). See recurrence.hpp. fp32 and fp64: addcmul keeps its state in
// the tensors' type, and a 16-bit state drifts beyond the op's tolerance.
//
// Algorithm: addcmul_out(h[:, t], b[:, t], a[:, t], h[:, t-1]), one call a step on (B, C) slices. The slices
// are made once, in prepare, which is the friendliest form for LibTorch: no allocation and no view in the
// loop. Where a packed sequence begins b is copied. Its own threads share a slice when that is large.
//
// Work and bytes: 2 B L C FLOPs; reads a, b and the previous h, writes h; one dispatch a step.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write for this layout. Its cost at small B C
// is the L calls.
#include <ATen/ops/addcmul.h>
#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

/// The (B, C) slices of all steps.
struct Slices : Prepared {
  std::vector<at::Tensor> a, b, h;
  at::Tensor h0, h_last;
};

std::unique_ptr<Prepared> prepare(const Problem&, Tensors& tensors, Context&) {
  const c10::InferenceMode inference;
  auto slices = std::make_unique<Slices>();
  slices->a = as_torch(tensors["a"]).unbind(1);
  slices->b = as_torch(tensors["b"]).unbind(1);
  slices->h = as_torch(tensors["h"]).unbind(1);
  slices->h0 = as_torch(tensors["h0"]);
  slices->h_last = as_torch(tensors["h_last"]);
  return slices;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  auto& slices = static_cast<Slices&>(*context.prepared);
  const at::Tensor* previous = &slices.h0;
  const Segments segments = problem_as<RecurrenceProblem>(problem).segments();
  for (std::size_t t = 0; t < slices.h.size(); ++t) {
    if (segments.start_at(static_cast<std::int64_t>(t)))
      slices.h[t].copy_(slices.b[t]);
    else
      at::addcmul_out(slices.h[t], slices.b[t], slices.a[t], *previous);
    previous = &slices.h[t];
  }
  slices.h_last.copy_(*previous);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch addcmul, one call a step",
    .supports = needs_time_middle,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
