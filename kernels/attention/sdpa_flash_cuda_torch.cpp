// SPDX-License-Identifier: Apache-2.0
// LibTorch's flash attention on a GPU, pinned: at::_scaled_dot_product_flash_attention and its backward op, no dispatch by heuristics.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D), lse (B, H, L); backward: those, out, lse and dout -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D). Tensors are on the
// device from prepare on and the op is called once there, so that its plans are made and a refusal is a row with LibTorch's reason. What is timed is the op alone on
// the case's stream, its outputs from LibTorch's caching allocator. Backward starts from what the op's own forward pass left in prepare.
// It is FlashAttention-2 (Dao 2023), also on Hopper. Grouped heads are the op's own. Work: 4 D flops a visible pair forward, 10 D backward; fp32 sums, weights
// rounded to 16 bits. Its causal mask is square, as this op's is. No window, no padding; D a multiple of 8 up to 256: the op itself says so.
// Right choice: where cuDNN does not take the shape; the rival of an mma.sync kernel.
#include <ATen/ops/_scaled_dot_product_flash_attention.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_backward.h>

#include <tuple>

#include "kernels/attention/sdpa_torch_cuda.hpp"

namespace bench::attention {
namespace {

class FlashOp {
 public:
  static constexpr bool kRecords = false;

  FlashOp(const AttentionProblem& p, SdpaInputs inputs) : causal_(p.causal), scale_(p.scale()), in_(std::move(inputs)) {}

  void forward() {
    left_ = {};
    left_ = at::_scaled_dot_product_flash_attention(in_.q, in_.k, in_.v, /*dropout_p=*/0.0, causal_, /*return_debug_mask=*/false, scale_);
  }
  at::Tensor out() const { return std::get<0>(left_); }
  at::Tensor lse() const { return std::get<1>(left_); }

  SdpaGradients backward(const at::Tensor& dout) const {
    const auto& [out, lse, starts_q, starts_k, longest_q, longest_k, random_seed, random_offset, mask] = left_;
    const auto [dq, dk, dv] =
        at::_scaled_dot_product_flash_attention_backward(dout, in_.q, in_.k, in_.v, out, lse, starts_q, starts_k, longest_q.expect_int(), longest_k.expect_int(),
                                                         /*dropout_p=*/0.0, causal_, random_seed, random_offset, scale_);
    return {dq, dk, dv};
  }

 private:
  bool causal_;
  double scale_;
  SdpaInputs in_;
  decltype(at::_scaled_dot_product_flash_attention(at::Tensor(), at::Tensor(), at::Tensor(), 0.0, false, false, std::optional<double>())) left_;
};

/// LibTorch decides once in a process whether it has CUDA, and autograd on the CPU makes it decide. So where there is a driver its CUDA library is opened
/// with the plug-in, before any kernel of LibTorch's runs; elsewhere nobody pays for it.
[[maybe_unused]] const bool opened_early = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr && open_torch_cuda().empty();

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_flash_cuda_torch",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"fwd", "bwd"},
    .about = "LibTorch's flash attention op on the GPU (FlashAttention-2), pinned",
    .supports = supports_fused,
    .prepare = prepare_sdpa<FlashOp>,
    .run = run_sdpa<FlashOp>,
}};

}  // namespace
}  // namespace bench::attention
