// SPDX-License-Identifier: Apache-2.0
// LibTorch's memory-efficient attention on a GPU, pinned: at::_scaled_dot_product_efficient_attention and its backward op, no dispatch by heuristics.
//
// q (B, H, L, D), k v (B, Hkv, L, D) -> out (B, H, L, D), lse (B, H, L); backward: those, out, lse and dout -> dq (B, H, L, D), dk dv (B, Hkv, L, D). Tensors are on the
// device from prepare on and the op is called once there, so that its plans are made and a refusal is a row with LibTorch's reason. What is timed is the op alone on
// the case's stream, its outputs from LibTorch's caching allocator. Backward starts from what the op's own forward pass left in prepare.
// It is xformers' CUTLASS kernel (Rabe & Staats 2021), for every type; fp32 by three TF32 products unless TF32 is allowed. The op knows no grouped heads: batch and
// key/value head become the batch axis, the group becomes the head axis, along which K and V have stride 0, so nothing is copied; gradients of a group are added
// up. lse comes filled up to a multiple of 32 rows. Work: 4 D flops a visible pair forward, 10 D backward. No window and no padding here.
// Right choice: fp32, and head dimensions that the others refuse.
#include <ATen/ops/_scaled_dot_product_efficient_attention.h>
#include <ATen/ops/_scaled_dot_product_efficient_attention_backward.h>
#include <ATen/ops/sum.h>

#include <tuple>

#include "kernels/attention/sdpa_torch_cuda.hpp"

namespace bench::attention {
namespace {

class EfficientOp {
 public:
  static constexpr bool kRecords = false;

  EfficientOp(const AttentionProblem& p, SdpaInputs inputs)
      : problem_(p), in_{by_groups(inputs.q, p), by_groups(inputs.k, p), by_groups(inputs.v, p)} {}

  void forward() {
    left_ = {};
    left_ = at::_scaled_dot_product_efficient_attention(in_.q, in_.k, in_.v, /*attn_bias=*/std::nullopt, /*compute_log_sumexp=*/true, /*dropout_p=*/0.0,
                                                        problem_.causal, problem_.scale());
  }
  at::Tensor out() const { return std::get<0>(left_); }
  at::Tensor lse() const { return std::get<1>(left_).narrow(-1, 0, problem_.seq); }

  SdpaGradients backward(const at::Tensor& dout) const {
    const auto& [out, lse, random_seed, random_offset] = left_;
    const auto [dq, dk, dv, no_bias] = at::_scaled_dot_product_efficient_attention_backward(
        by_groups(dout, problem_), in_.q, in_.k, in_.v, /*attn_bias=*/at::Tensor(), out, lse, random_seed, random_offset, /*dropout_p=*/0.0,
        /*grad_input_mask=*/{true, true, true, false}, problem_.causal, problem_.scale());
    if (problem_.group() == 1) return {dq, dk, dv};
    return {dq, at::sum(dk, {1}), at::sum(dv, {1})};
  }

 private:
  /// (B, heads, L, D) -> (B Hkv, H / Hkv, L, D) where heads are grouped.
  static at::Tensor by_groups(const at::Tensor& x, const AttentionProblem& p) {
    if (p.group() == 1) return x;
    return x.view({p.batch * p.kv_heads, x.size(1) / p.kv_heads, p.seq, p.head_dim}).expand({-1, p.group(), -1, -1});
  }

  AttentionProblem problem_;
  SdpaInputs in_;
  std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> left_;
};

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_efficient_cuda_torch",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"fwd", "bwd"},
    .about = "LibTorch's memory-efficient attention op on the GPU, pinned",
    .supports = supports_no_mask,
    .prepare = prepare_sdpa<EfficientOp>,
    .run = run_sdpa<EfficientOp>,
}};

}  // namespace
}  // namespace bench::attention
