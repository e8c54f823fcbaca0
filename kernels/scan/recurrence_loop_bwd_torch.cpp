// SPDX-License-Identifier: Apache-2.0
// recurrence_loop_bwd_torch: the backward pass of h_t = a_t * h_{t-1} + b_t, written by hand as a loop of
// LibTorch's in-place addcmul: db_t = dh_t + a_{t+1} db_{t+1}, da_t = db_t h_{t-1}.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; h is the saved forward
// result. fp32 and fp64: addcmul keeps its state in the tensors' type.
//
// Algorithm: db starts as a copy of dh; from the last step to the first db[:, t-1] += a[:, t] * db[:, t], on
// slices made in prepare; then da is one product of whole tensors. dh0 = a_1 db_1.
//
// Work and bytes: 3 B L C FLOPs; ten streams of B L C elements where five are needed.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form in LibTorch, what a custom autograd function would hold. What autograd
// itself makes of the forward loop is recurrence_autograd_bwd_torch.
#include <ATen/ops/mul.h>
#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

struct Slices : Prepared {
  at::Tensor a, h, dh, da, db, h0, dh_last, dh0;
  std::vector<at::Tensor> a_of_step, db_of_step;  // (B, C) each
};

std::unique_ptr<Prepared> prepare(const Problem&, Tensors& tensors, Context&) {
  const c10::InferenceMode inference;
  auto s = std::make_unique<Slices>();
  s->a = as_torch(tensors["a"]), s->h = as_torch(tensors["h"]), s->dh = as_torch(tensors["dh"]);
  s->da = as_torch(tensors["da"]), s->db = as_torch(tensors["db"]);
  s->h0 = as_torch(tensors["h0"]), s->dh_last = as_torch(tensors["dh_last"]), s->dh0 = as_torch(tensors["dh0"]);
  s->a_of_step = s->a.unbind(1);
  s->db_of_step = s->db.unbind(1);
  return s;
}

void run(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode inference;
  use_threads(problem.threads);
  auto& s = static_cast<Slices&>(*context.prepared);
  s.db.copy_(s.dh);
  s.db_of_step.back().add_(s.dh_last);
  const std::size_t last = s.db_of_step.size() - 1;
  const Segments segments = problem_as<RecurrenceProblem>(problem).segments();
  for (std::size_t t = last; t > 0; --t)
    if (!segments.start_at(static_cast<std::int64_t>(t))) s.db_of_step[t - 1].addcmul_(s.a_of_step[t], s.db_of_step[t]);
  at::mul_out(s.dh0, s.a_of_step[0], s.db_of_step[0]);
  const auto later = static_cast<std::int64_t>(last);
  at::Tensor first_da = s.da.select(1, 0), later_da = s.da.narrow(1, 1, later);
  at::mul_out(first_da, s.db_of_step[0], s.h0);
  at::mul_out(later_da, s.db.narrow(1, 1, later), s.h.narrow(1, 0, later));
  for (const std::int64_t start : segments.starts) s.da.select(1, start).zero_();
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_loop_bwd_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch in-place addcmul, one call a step, by hand",
    .supports = needs_time_middle,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
