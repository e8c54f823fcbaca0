// SPDX-License-Identifier: Apache-2.0
// What LibTorch's attention backends on a GPU have in common: its CUDA library, opened when first needed; tensors on the device; the case's stream; what a
// refusal is. Only *_cuda_torch.cpp files include this. No symbol of LibTorch's CUDA libraries is used: ops are reached by the dispatcher, streams by
// c10's virtual interface, so the plug-in loads where there is no GPU.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <dlfcn.h>

#include <filesystem>
#include <optional>
#include <string>

#include "kernels/attention/torch_mask.hpp"
#include "kernels/attention/torch_tensors.hpp"
#include "kernels/kernel.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::device {
[[gnu::weak]] int current();  // the program's own; null where it was built without CUDA
}

namespace bench::attention {

/// Opens libtorch_cuda.so beside the libtorch_cpu.so that is loaded. Empty when LibTorch has CUDA then; else why not. LibTorch's hooks are not to be asked for
/// before: they look once in a process whether that library is there.
inline std::string open_torch_cuda() {
  Dl_info cpu{};
  if (dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &cpu) == 0) return "the folder of libtorch_cpu.so is not known";
  const std::string library = (std::filesystem::path(cpu.dli_fname).parent_path() / "libtorch_cuda.so").string();
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* why = dlerror();
    return concat("LibTorch's CUDA library could not be loaded: ", why != nullptr ? why : "no reason given");
  }
  if (!at::detail::getCUDAHooks().hasCUDART()) return "LibTorch was asked for CUDA before its CUDA library was loaded";
  return {};
}

/// LibTorch's current device and stream are the case's for as long as this lives. A stream of CUDA's own is LibTorch's stream with the handle as its id
/// (c10/cuda/CUDAStream.cpp, getStreamFromExternal); 0 is the default stream in both.
class OnStream {
 public:
  explicit OnStream(void* stream) : guard_(c10::Stream(c10::Stream::UNSAFE, device(), reinterpret_cast<c10::StreamId>(stream))) {}

  static c10::Device device() {
    const int index = device::current != nullptr ? device::current() : 0;
    return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)};
  }
  static void wait(void* stream) { c10::Stream(c10::Stream::UNSAFE, device(), reinterpret_cast<c10::StreamId>(stream)).synchronize(); }

 private:
  c10::StreamGuard guard_;
};

inline std::string first_line(const c10::Error& error) {
  const std::string text = error.what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

/// LibTorch's exceptions in this project's terms: memory that ran out; a device that failed; a problem that the op does not take, with LibTorch's first line.
template <class F>
void in_our_terms(F&& f) {
  try {
    f();
  } catch (const c10::OutOfMemoryError& error) {
    throw OutOfMemory(concat("LibTorch: ", first_line(error)));
  } catch (const c10::AcceleratorError&) {
    throw;
  } catch (const c10::Error& error) {
    throw Error(ErrorKind::unavailable, concat("LibTorch's op refuses: ", first_line(error)));
  }
}

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
    if (const std::string reason = open_torch_cuda(); !reason.empty()) throw Error(ErrorKind::unavailable, reason);
    if (!at::detail::getCUDAHooks().hasCUDA()) throw Error(ErrorKind::unavailable, "LibTorch finds no CUDA device that its CUDA library can use");
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
      if (c10::GetAllocator(c10::DeviceType::CUDA) != nullptr) c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache();  // others need the memory, too
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
