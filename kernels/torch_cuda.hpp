// SPDX-License-Identifier: Apache-2.0
// What LibTorch's rivals on a GPU have in common: its CUDA library, opened when first needed; the case's stream; what a refusal is; a form
// (torch_form.hpp) with its tensors on the device. Only *_cuda_torch.cpp files include this. No symbol of LibTorch's CUDA libraries is used: ops are
// reached by the dispatcher, streams by c10's virtual interface, so the plug-in loads where there is no GPU.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <dlfcn.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "kernels/torch_form.hpp"
#include "src/core/out_of_memory.hpp"

namespace bench::device {
[[gnu::weak]] int current();  // the program's own; null where it was built without CUDA
}

namespace bench {

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

/// Throws Error(unavailable), in words, where LibTorch has no device that it can use.
inline void require_torch_cuda() {
  if (const std::string reason = open_torch_cuda(); !reason.empty()) throw Error(ErrorKind::unavailable, reason);
  if (!at::detail::getCUDAHooks().hasCUDA()) throw Error(ErrorKind::unavailable, "LibTorch finds no CUDA device that its CUDA library can use");
}

/// Gives back what LibTorch keeps of the device's memory, if it ever had any: others need it, too.
inline void release_torch_cuda() {
  if (c10::GetAllocator(c10::DeviceType::CUDA) != nullptr) c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache();
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

/// A form with its tensors on the device. Made, it has run once, so that plans are made and a refusal is known; run() puts its ops on the stream, their
/// intermediates from LibTorch's caching allocator.
template <class Form>
class FormOnDevice final : public Prepared {
 public:
  FormOnDevice(const Problem& problem, Tensors& tensors, void* stream) : stream_(stream) {
    require_torch_cuda();
    for (const TensorSpec& spec : Registry<Op>::instance().find(Form::kOp)->outputs(problem)) outputs_.push_back(spec.name);
    in_our_terms([&] {
      const OnStream on(stream);
      const c10::InferenceMode mode(!Form::kRecords);
      tensors_.emplace(tensors, OnStream::device());
      form_.emplace(problem, *tensors_);
      form_->run();
      OnStream::wait(stream);
    });
  }
  ~FormOnDevice() override {
    try {
      form_.reset();
      tensors_.reset();
      release_torch_cuda();
    } catch (const std::exception&) {  // a device that failed; whoever uses it next hears of it
    }
  }

  void run() {
    const OnStream on(stream_);
    const c10::InferenceMode mode(!Form::kRecords);
    form_->run();
  }

  std::vector<std::span<const std::byte>> memory() const override {
    if constexpr (requires { form_->memory(); }) return form_->memory();
    return {};
  }
  void collect(Tensors& tensors) const override {
    const c10::InferenceMode mode;
    for (const std::string& name : outputs_) as_torch(tensors[name]).copy_((*tensors_)[name]);
  }

 private:
  void* stream_;
  std::vector<std::string> outputs_;
  std::optional<TorchTensors> tensors_;
  std::optional<Form> form_;
};

template <class Form>
std::unique_ptr<Prepared> prepare_on_device(const Problem& problem, Tensors& tensors, Context& context) {
  return std::make_unique<FormOnDevice<Form>>(problem, tensors, context.stream);
}
template <class Form>
void run_on_device(const Problem&, Tensors&, Context& context) {
  static_cast<FormOnDevice<Form>&>(*context.prepared).run();
}

}  // namespace bench
