// SPDX-License-Identifier: Apache-2.0
// What LibTorch's attention backends on a GPU have in common besides kernels/torch_cuda.hpp: tensors on the device, both passes, what the fused ones take.
// Only *_cuda_torch.cpp files include this.
#pragma once

#include <optional>
#include <string>

#include "kernels/attention/torch_mask.hpp"
#include "kernels/attention/torch_tensors.hpp"
#include "kernels/torch_cuda.hpp"

namespace bench::attention {

/// Kernel::supports of the fused backends.
inline std::string supports_fused(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (const std::string reason = supports_causal_flag(p); !reason.empty()) return reason;
  return supports_only(problem, {Feature::kv_seq});
}

struct SdpaGradients {
  at::Tensor q, k, v;
};

/// Inputs of a pass on the device, as (B, H, L, D) and (B, Hkv, Lk, D).
struct SdpaInputs {
  at::Tensor q, k, v;
};

/// One of LibTorch's backends on one problem. Op(problem, inputs) has forward(), out(), lse() (undefined where the op gives none) and backward(dout); what they
/// return is shaped like the tensors, a group's query heads side by side. kRecords: backward() is autograd's.
template <class Op>
class SdpaOnDevice final : public Prepared {
 public:
  /// Runs the pass once, so that a refusal is known and plans are made; for the backward pass it saves a forward pass of the op's own.
  SdpaOnDevice(const AttentionProblem& p, Tensors& tensors, void* stream) : problem_(p) {
    require_torch_cuda();
    in_our_terms([&] {
      const OnStream on(stream);
      const c10::InferenceMode mode(!records());
      const auto home = [&](const char* name) { return as_torch(tensors[name]).to(OnStream::device()); };
      op_.emplace(p, SdpaInputs{home("q"), home("k"), home("v")});
      if (p.backward()) {
        dout_ = home("dout");
        op_->forward();
      }
      compute();
      OnStream::wait(stream);
    });
  }
  ~SdpaOnDevice() override {
    try {
      gradients_ = {};
      dout_.reset();
      op_.reset();
      release_torch_cuda();
    } catch (const std::exception&) {  // a device that failed; whoever uses it next hears of it
    }
  }

  void run(void* stream) {
    const OnStream on(stream);
    const c10::InferenceMode mode(!records());
    compute();
  }

  void collect(Tensors& tensors) const override {
    const c10::InferenceMode mode;
    const auto bring = [&](const char* name, const at::Tensor& result) {
      Tensor& tensor = tensors[name];
      as_torch(tensor).copy_(result.reshape(tensor.shape()));
    };
    if (problem_.backward()) {
      bring("dq", gradients_.q);
      bring("dk", gradients_.k);
      bring("dv", gradients_.v);
      return;
    }
    bring("out", op_->out());
    if (const at::Tensor lse = op_->lse(); lse.defined()) bring("lse", lse);
  }

 private:
  bool records() const { return Op::kRecords && problem_.backward(); }
  /// What the call before left is let go of first: its memory is taken again, and no call allocates from the device.
  void compute() {
    if (!problem_.backward()) return op_->forward();
    gradients_ = {};
    gradients_ = op_->backward(dout_);
  }

  AttentionProblem problem_;
  std::optional<Op> op_;
  at::Tensor dout_;
  SdpaGradients gradients_;
};

template <class Op>
std::unique_ptr<Prepared> prepare_sdpa(const Problem& problem, Tensors& tensors, Context& context) {
  return std::make_unique<SdpaOnDevice<Op>>(problem_as<AttentionProblem>(problem), tensors, context.stream);
}
template <class Op>
void run_sdpa(const Problem&, Tensors&, Context& context) {
  static_cast<SdpaOnDevice<Op>&>(*context.prepared).run(context.stream);
}

}  // namespace bench::attention
