// SPDX-License-Identifier: Apache-2.0
// The backward pass of LibTorch's composite attention, pinned: autograd through
// at::_scaled_dot_product_attention_math, two matrix products around a softmax.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D) -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D); dtypes fp32, bf16 and
// fp64. The forward pass is recorded in prepare, on the same inputs, and run is autograd's backward through
// that record: nothing of the forward pass is timed. So it need not compute the scores again, as kernels that
// start from out and lse do, and keeps B H L Lk weights for it (a mask, and what enable_gqa repeats, besides).
// Four products of 2 D flops a pair and the softmax's backward over B H L Lk elements; causal work is not
// skipped. Grouped heads and masks as in sdpa_math_torch. autograd allocates the gradients; run
// copies them into dq, dk and dv. Accumulation: fp32 (fp64 for fp64); the op itself decides whether 16-bit
// inputs are widened first. What a user gets where no fused op applies; right for speed only at tiny L.
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <torch/csrc/autograd/autograd.h>

#include <tuple>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/torch_mask.hpp"

namespace bench::attention {
namespace {

struct Recorded : Prepared {
  std::vector<at::Tensor> inputs;  // q, k, v
  at::Tensor out;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  use_threads(p.threads);
  auto record = std::make_unique<Recorded>();
  for (const char* name : {"q", "k", "v"})
    record->inputs.push_back(as_torch(tensors[name]).requires_grad_(true));
  const auto mask = math_mask(p)->optional();
  record->out = std::get<0>(at::_scaled_dot_product_attention_math(
      record->inputs[0], record->inputs[1], record->inputs[2], mask, /*dropout_p=*/0.0,
      p.causal && !mask.has_value(), /*dropout_mask=*/std::nullopt, p.scale(), /*enable_gqa=*/p.group() > 1));
  return record;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  use_threads(problem.threads);
  const auto& record = static_cast<const Recorded&>(*context.prepared);
  const auto gradients = torch::autograd::grad({record.out}, record.inputs, {as_torch(tensors["dout"])},
                                               /*retain_graph=*/true);
  as_torch(tensors["dq"]).copy_(gradients[0]);
  as_torch(tensors["dk"]).copy_(gradients[1]);
  as_torch(tensors["dv"]).copy_(gradients[2]);
}

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_math_bwd_torch",
    .op = "attention",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16},
    .passes = {"bwd"},
    .about =
        "LibTorch's autograd through its composite attention op, pinned; the forward pass saved in advance",
    .supports = supports_math_mask,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
