// SPDX-License-Identifier: Apache-2.0
// update_torch: one token's state update as LibTorch tensor operations, in place on the new state.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). See update.hpp.
//
// Algorithm: h_last = h0 decay; h_last += (d x) B^T by addcmul; a batched product with C per group. Work as
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

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const at::Tensor a = as_torch(tensors["A"]), skip = as_torch(tensors["D"]);
  const auto widened = [&](const char* name) { return as_torch(tensors[name]).to(a.scalar_type()); };
  const at::Tensor x = widened("x"), z = widened("z"), b = widened("B"), c = widened("C");
  const at::Tensor d = at::softplus(widened("dt") + as_torch(tensors["dt_bias"]));  // (B, H, W)
  at::Tensor h = as_torch(tensors["h_last"]);
  at::mul_out(h, as_torch(tensors["h0"]), (d.unsqueeze(-1) * a).exp_());
  const at::Tensor input = (d * x).unflatten(1, {p.groups, -1}).unsqueeze(-1);  // (B, G, H / G, P, 1)
  at::Tensor grouped = h.unflatten(1, {p.groups, -1});
  grouped.addcmul_(input, for_heads(b));
  const at::Tensor y = grouped.flatten(2, 3).matmul(c.unsqueeze(-1)).reshape({p.batch, p.heads, p.head_dim});
  as_torch(tensors["out"]).copy_((y + skip * x).mul_(at::silu(z)));
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_torch",
    .op = "ssm_update",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "LibTorch mul, addcmul and a batched product",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
