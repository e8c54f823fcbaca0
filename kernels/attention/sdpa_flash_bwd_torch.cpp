// SPDX-License-Identifier: Apache-2.0
// The backward pass of LibTorch's CPU flash attention, pinned:
// at::_scaled_dot_product_flash_attention_for_cpu_backward and no dispatch by heuristics.
//
// q dout (B, H, L, D), k v (B, Hkv, Lk, D) -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D); dtypes fp32, bf16 and
// fp64. The op is given out and lse as this project's backward kernels are (save_forward), made in prepare,
// so both time the same thing. Grouped heads as in sdpa_flash_torch: the group becomes the head axis, along
// which K and V have stride 0; the op returns a gradient for every query head, and run adds those of a group
// up. The op allocates its gradients, so run allocates and then copies them into dq, dk and dv (6 passes over
// B H L D elements against 10 L D flops for each). A mask is added as in sdpa_flash_torch, made in prepare,
// beside the op's own causal flag. Accumulation: fp32 (fp64 for fp64); bf16 weights and their gradients are
// rounded to bf16 before the products that follow, and dq, dk and dv are summed in bf16 from block to block
// of 32 to 256 rows, so that their error grows with L (dv at L 2048: 0.013 of max|ref|, more than is allowed
// here). The rival that a CPU backward kernel has to beat.
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/sum.h>
#include <c10/core/InferenceMode.h>

#include <tuple>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/attention/torch_mask.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  save_forward(p, tensors, context);
  const c10::InferenceMode inference;
  return flash_mask(p);
}

std::int64_t workspace_bytes(const Problem& problem) {
  return save_forward_workspace_bytes(problem_as<AttentionProblem>(problem));
}

/// The gradient of keys or values: (B Hkv, group, Lk, D) summed over the group.
void write_sum(Tensor& tensor, const AttentionProblem& p, const at::Tensor& gradient) {
  const at::Tensor target = as_torch(tensor).view({p.batch * p.kv_heads, p.kv_length(), p.head_dim});
  if (p.group() == 1)
    target.copy_(gradient.squeeze(1));
  else
    target.copy_(at::sum(gradient, {1}));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  const auto mask = static_cast<const TorchMask&>(*context.prepared).optional();
  const at::Tensor lse = as_torch(tensors["lse"]).view({p.batch * p.kv_heads, p.group(), p.seq});
  const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
      grouped(tensors["dout"], p), grouped(tensors["q"], p), grouped(tensors["k"], p),
      grouped(tensors["v"], p), grouped(tensors["out"], p), lse, /*dropout_p=*/0.0, p.causal, mask,
      p.scale());
  grouped(tensors["dq"], p).copy_(dq);
  write_sum(tensors["dk"], p, dk);
  write_sum(tensors["dv"], p, dv);
}

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_flash_bwd_torch",
    .op = "attention",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32, DType::bf16},
    .passes = {"bwd"},
    .about = "backward of LibTorch's CPU flash attention op, pinned",
    .supports = supports_flash_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
