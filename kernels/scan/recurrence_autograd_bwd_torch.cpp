// SPDX-License-Identifier: Apache-2.0
// recurrence_autograd_bwd_torch: what LibTorch's autograd makes of h_t = a_t * h_{t-1} + b_t as a loop.
//
// Shapes: a, h, dh, da, db (B, L, C); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp. fp32 and fp64.
//
// Algorithm: the forward loop h_t = addcmul(b_t, a_t, h_{t-1}) and its stack are recorded in prepare, on the b
// that leads to the saved h (b_t = h_t - a_t h_{t-1}); run is autograd's backward through that record, and
// nothing of the forward pass is timed.
//
// Work and bytes: per step three products and two sums in new tensors, and two gathers of all slices.
//
// Error against fp64: as the sequential kernel; the recorded h is rounded twice.
//
// Right choice: as what a user has who writes no backward pass.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstdint>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

struct Recorded : Prepared {
  std::vector<at::Tensor> inputs;   // a, b, h0
  std::vector<at::Tensor> outputs;  // h, h_last
};

at::Tensor recorded(const at::Tensor& values) {
  return values.detach().set_requires_grad(true);
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  use_threads(problem.threads);
  auto record = std::make_unique<Recorded>();
  const at::Tensor a = recorded(as_torch(tensors["a"])), h0 = recorded(as_torch(tensors["h0"]));
  const at::Tensor saved = as_torch(tensors["h"]), start = h0.detach().unsqueeze(1);
  const Segments segments = problem_as<RecurrenceProblem>(problem).segments();
  const at::Tensor before = at::cat({start, saved.narrow(1, 0, saved.size(1) - 1)}, 1);
  for (const std::int64_t first : segments.starts) before.select(1, first).zero_();
  const at::Tensor b = recorded(saved - a.detach() * before);
  const std::vector<at::Tensor> a_of_step = a.unbind(1), b_of_step = b.unbind(1);
  std::vector<at::Tensor> h;
  const at::Tensor zero = at::zeros_like(h0);
  for (std::size_t t = 0; t < b_of_step.size(); ++t) {
    const bool starts = segments.start_at(static_cast<std::int64_t>(t));
    h.push_back(at::addcmul(b_of_step[t], a_of_step[t], t == 0 ? h0 : starts ? zero : h[t - 1]));
  }
  record->inputs = {a, b, h0};
  record->outputs = {at::stack(h, 1), h.back()};
  return record;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  use_threads(problem.threads);
  auto& record = static_cast<Recorded&>(*context.prepared);
  const auto gradients =
      torch::autograd::grad(record.outputs, record.inputs,
                            {as_torch(tensors["dh"]), as_torch(tensors["dh_last"])}, /*retain_graph=*/true);
  as_torch(tensors["da"]).copy_(gradients[0]);
  as_torch(tensors["db"]).copy_(gradients[1]);
  as_torch(tensors["dh0"]).copy_(gradients[2]);
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_autograd_bwd_torch",
    .op = "recurrence",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .passes = {"bwd"},
    .about = "backward, LibTorch autograd through the loop of addcmul; its forward is not timed",
    .supports = needs_time_middle,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
