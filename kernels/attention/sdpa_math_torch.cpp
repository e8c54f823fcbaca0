// SPDX-License-Identifier: Apache-2.0
// LibTorch's composite attention, pinned: at::_scaled_dot_product_attention_math, two matrix products around
// a softmax.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D); dtypes fp32, bf16 and fp64. lse is not written: the
// op returns the weights, from which the log-sum-exp is gone, and computing it beside the op would be timed
// as if it were part of it. Grouped heads by the op's own enable_gqa, which repeats K and V. It materialises
// B H L Lk scores and weights; causal work is not skipped. A window, padding, packed sequences and an alignment other
// than the first query with the first key are an additive mask, made in prepare, that has the causal one in it. The op allocates all of it and its output in run,
// which then copies the output into `out`. Accumulation: fp32; the op itself decides whether 16-bit inputs
// are widened first. The baseline that LibTorch falls back to; the right choice for speed only at tiny L.
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <c10/core/InferenceMode.h>

#include <tuple>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/torch_mask.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context&) {
  const c10::InferenceMode inference;
  return math_mask(problem_as<AttentionProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const auto mask = static_cast<const TorchMask&>(*context.prepared).optional();
  const auto [out, weights] = at::_scaled_dot_product_attention_math(
      as_torch(tensors["q"]), as_torch(tensors["k"]), as_torch(tensors["v"]), mask,
      /*dropout_p=*/0.0, p.causal && !mask.has_value(), /*dropout_mask=*/std::nullopt, p.scale(),
      /*enable_gqa=*/p.group() > 1);
  as_torch(tensors["out"]).copy_(out);
}

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_math_torch",
    .op = "attention",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16},
    .omits = {"lse"},
    .about = "LibTorch's composite attention op (scores written out), pinned",
    .supports = supports_math_mask,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
