// SPDX-License-Identifier: Apache-2.0
// LibTorch's cuDNN attention on a GPU, pinned: at::_scaled_dot_product_cudnn_attention and its backward op, no dispatch by heuristics.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D), lse (B, H, L); backward: those, out, lse and dout -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D). Tensors are on the
// device from prepare on and the op is called once there, so that its plans are made and a refusal is a row with LibTorch's reason. What is timed is the op alone on
// the case's stream, its outputs from LibTorch's caching allocator. Backward starts from what the op's own forward pass left in prepare.
// cuDNN's own fused kernels by its graph interface; a graph is built for each shape and kept. Grouped heads are the op's own. Work: 4 D flops a visible pair forward,
// 10 D backward; fp32 sums, weights rounded to 16 bits. No window, no padding. One key is refused as LibTorch's own choice of backends refuses it; head dimensions
// are the library's to refuse (9.19: beyond 128).
// Right choice: on Hopper, whose fastest it is: the rival of a wgmma kernel.
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention_backward.h>

#include <tuple>

#include "kernels/attention/sdpa_torch_cuda.hpp"
#include "kernels/library.hpp"

namespace bench::attention {
namespace {

class CudnnOp {
 public:
  static constexpr bool kRecords = false;

  CudnnOp(const AttentionProblem& p, SdpaInputs inputs) : causal_(p.causal), scale_(p.scale()), in_(std::move(inputs)) {}

  void forward() {
    left_ = {};
    left_ = at::_scaled_dot_product_cudnn_attention(in_.q, in_.k, in_.v, /*attn_bias=*/std::nullopt, /*compute_log_sumexp=*/true, /*dropout_p=*/0.0, causal_,
                                                    /*return_debug_mask=*/false, scale_);
  }
  at::Tensor out() const { return std::get<0>(left_); }
  at::Tensor lse() const { return std::get<1>(left_); }  // (B, H, L, 1)

  SdpaGradients backward(const at::Tensor& dout) const {
    const auto& [out, lse, starts_q, starts_k, longest_q, longest_k, random_seed, random_offset, mask] = left_;
    const auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(dout, in_.q, in_.k, in_.v, out, lse, random_seed, random_offset, /*attn_bias=*/at::Tensor(),
                                                                               starts_q, starts_k, longest_q.expect_int(), longest_k.expect_int(),
                                                                               /*dropout_p=*/0.0, causal_, scale_);
    return {dq, dk, dv};
  }

 private:
  bool causal_;
  double scale_;
  SdpaInputs in_;
  decltype(at::_scaled_dot_product_cudnn_attention(at::Tensor(), at::Tensor(), at::Tensor(), std::nullopt, true)) left_;
};

std::string supports(const Problem& problem) {
  if (problem_as<AttentionProblem>(problem).kv_length() == 1) return "LibTorch does not give a single key to cuDNN";
  return supports_fused(problem);
}

/// Of the library that LibTorch found, which need not be the one that it was built with.
std::string cudnn_version() {
  const std::string reason = open_torch_cuda();
  if (!reason.empty()) return concat("unavailable: ", reason);
  const long version = at::detail::getCUDAHooks().versionRuntimeCuDNN();
  return concat(version / 10000, '.', version / 100 % 100, '.', version % 100);
}

const Registrar<Library> cudnn{{"cuDNN", cudnn_version}};

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_cudnn_cuda_torch",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::bf16, DType::f16},
    .passes = {"fwd", "bwd"},
    .about = "LibTorch's cuDNN attention op on the GPU, pinned",
    .supports = supports,
    .prepare = prepare_sdpa<CudnnOp>,
    .run = run_sdpa<CudnnOp>,
}};

}  // namespace
}  // namespace bench::attention
