// SPDX-License-Identifier: Apache-2.0
// LibTorch's composite attention on a GPU, pinned: at::_scaled_dot_product_attention_math and autograd through it, no dispatch by heuristics.
//
// q (B, H, L, D), k v (B, Hkv, Lk, D) -> out (B, H, L, D); backward: those and dout -> dq (B, H, L, D), dk dv (B, Hkv, Lk, D). Tensors are on the
// device from prepare on and the op is called once there, so that its plans are made and a refusal is a row with LibTorch's reason. What is timed is the op alone on
// the case's stream, its outputs from LibTorch's caching allocator. Backward is autograd's through a forward pass that is recorded in prepare.
// Two products around a softmax, all B H L^2 scores written out, causal work not skipped; 16-bit tensors are widened to fp32 first, as LibTorch has it unless told
// otherwise. lse is not written: the op returns the weights. Grouped heads by enable_gqa, which repeats K and V; masks other than causality over L = Lk are additive, made in prepare,
// the causal one in them. Work: 4 D flops a pair forward, 8 D backward (weights are kept). Right choice: none for speed; what LibTorch does where no fused op applies.
#include <ATen/Version.h>
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <torch/csrc/autograd/autograd.h>

#include <tuple>
#include <vector>

#include "kernels/attention/sdpa_torch_cuda.hpp"
#include "kernels/attention/torch_mask.hpp"
#include "kernels/library.hpp"

namespace bench::attention {
namespace {

class MathOp {
 public:
  static constexpr bool kRecords = true;

  MathOp(const AttentionProblem& p, SdpaInputs inputs) : problem_(p), in_{inputs.q, inputs.k, inputs.v}, mask_(math_mask(p)->optional()) {
    if (mask_.has_value()) mask_ = mask_->to(inputs.q.device());
    if (p.backward())
      for (at::Tensor& input : in_) input.requires_grad_(true);
  }

  void forward() {
    out_.reset();
    out_ = std::get<0>(at::_scaled_dot_product_attention_math(in_[0], in_[1], in_[2], mask_, /*dropout_p=*/0.0, problem_.causal && !mask_.has_value(),
                                                              /*dropout_mask=*/std::nullopt, problem_.scale(), /*enable_gqa=*/problem_.group() > 1));
  }
  at::Tensor out() const { return out_; }
  at::Tensor lse() const { return {}; }

  SdpaGradients backward(const at::Tensor& dout) const {
    const auto gradients = torch::autograd::grad({out_}, in_, {dout}, /*retain_graph=*/true);
    return {gradients[0], gradients[1], gradients[2]};
  }

 private:
  AttentionProblem problem_;
  std::vector<at::Tensor> in_;  // q, k, v
  std::optional<at::Tensor> mask_;
  at::Tensor out_;
};

/// Of the library that is loaded: it says so among its build settings, "TORCH_VERSION=2.11.0, ".
std::string torch_version() {
  const std::string settings = at::show_config(), key = "TORCH_VERSION=";
  const std::size_t at = settings.find(key);
  if (at == std::string::npos) return "unavailable: not among LibTorch's build settings";
  return settings.substr(at + key.size(), settings.find_first_of(", \n", at + key.size()) - at - key.size());
}

const Registrar<Library> torch_itself{{"LibTorch", torch_version}};

const Registrar<Kernel> registrar{{
    .name = "attention/sdpa_math_cuda_torch",
    .op = "attention",
    .backend = Backend::cuda,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"fwd", "bwd"},
    .omits = {"lse"},
    .about = "LibTorch's composite attention op on the GPU (scores written out), pinned",
    .supports = supports_math_mask,
    .prepare = prepare_sdpa<MathOp>,
    .run = run_sdpa<MathOp>,
}};

}  // namespace
}  // namespace bench::attention
