// SPDX-License-Identifier: Apache-2.0
// update_torch: one token's state update as LibTorch tensor operations, in place on the new state.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). See update.hpp.
//
// Algorithm: with a cache the states are gathered into h_last first, another two streams; h_last = h0 decay; h_last += (d x) B^T by addcmul; a batched product with C per group. Work as
// the formulas say; five streams of states where two would do, and untied another two for the decays.
//
// Error against fp64: some eps of the state's type.
//
// Right choice: as the form that a LibTorch user would write.
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>

#include "kernels/kernel.hpp"
#include "kernels/scan/update.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench::scan {
namespace {

/// (B, G, N) -> (B, G, 1, 1, N), to meet (B, G, H / G, P, N).
at::Tensor for_heads(const at::Tensor& mixers) {
  return mixers.unsqueeze(2).unsqueeze(2);
}

struct Indices : Prepared {
  at::Tensor slots;  // (live entries), if there is a cache
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context&) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const c10::InferenceMode inference;
  auto indices = std::make_unique<Indices>();
  if (p.slots > 0) {
    const std::vector<std::int64_t> live(p.state_batch_indices.begin(), p.state_batch_indices.begin() + p.live());
    indices->slots = at::tensor(live, at::kLong);
  }
  return indices;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const at::Tensor a = as_torch(tensors["A"]), skip = as_torch(tensors["D"]);
  const auto live = [&](const char* name) { return as_torch(tensors[name]).narrow(0, 0, p.live()); };
  const auto widened = [&](const char* name) { return live(name).to(a.scalar_type()); };
  const at::Tensor x = widened("x"), z = widened("z"), b = widened("B"), c = widened("C");
  const at::Tensor d = at::softplus(widened("dt") + as_torch(tensors["dt_bias"]));  // (B, H, W)
  at::Tensor h = live("h_last");
  const auto& indices = static_cast<Indices&>(*context.prepared).slots;
  if (indices.defined()) at::index_select_out(h, as_torch(tensors["h0"]), 0, indices);
  at::mul_out(h, indices.defined() ? h : as_torch(tensors["h0"]), (d.unsqueeze(-1) * a).exp_());
  const at::Tensor input = (d * x).unflatten(1, {p.groups, -1}).unsqueeze(-1);  // (B, G, H / G, P, 1)
  at::Tensor grouped = h.unflatten(1, {p.groups, -1});
  grouped.addcmul_(input, for_heads(b));
  const at::Tensor y = grouped.flatten(2, 3).matmul(c.unsqueeze(-1)).reshape({p.live(), p.heads, p.head_dim});
  live("out").copy_((y + skip * x).mul_(at::silu(z)));
  for (const char* name : {"out", "h_last"}) as_torch(tensors[name]).narrow(0, p.live(), p.padding).zero_();
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_torch",
    .op = "ssm_update",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch mul, addcmul and a batched product",
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
