// SPDX-License-Identifier: Apache-2.0
// A rival written over LibTorch's tensors, whatever device they are on: its formula once, and a kernel of the host made of it (here) or of a GPU
// (torch_cuda.hpp). Only *_torch.cpp files include this.
//
// A form has
//   static constexpr const char* kOp      the op whose tensors it takes
//   static constexpr bool kRecords        true: autograd's, so it is made and run outside inference mode
//   Form(const Problem&, const TorchTensors&)   plans, packs, records; not timed
//   void run()                            leaves the outputs in those tensors; on a device it neither waits nor brings a number home
//   memory()                              where it has one: what run reads besides the tensors (Prepared::memory)
#pragma once

#include <c10/core/InferenceMode.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/torch_tensors.hpp"

namespace bench {

/// A problem's tensors by name: on the host the project's own memory, on a device copies of it.
class TorchTensors {
 public:
  explicit TorchTensors(Tensors& tensors, c10::Device where = c10::DeviceType::CPU) {
    for (auto& [name, tensor] : tensors.all()) all_.emplace(name, as_torch(tensor).to(where));
  }
  const at::Tensor& operator[](std::string_view name) const {
    const auto found = all_.find(name);
    BS_REQUIRE(found != all_.end(), "no tensor '", name, "'");
    return found->second;
  }
  bool has(std::string_view name) const { return all_.find(name) != all_.end(); }

 private:
  std::map<std::string, at::Tensor, std::less<>> all_;
};

/// The form on the host's tensors.
template <class Form>
class FormOnHost final : public Prepared {
 public:
  FormOnHost(const Problem& problem, Tensors& tensors) : form_(problem, TorchTensors(tensors)) {}
  void run() { form_.run(); }
  std::vector<std::span<const std::byte>> memory() const override {
    if constexpr (requires { form_.memory(); }) return form_.memory();
    return {};
  }

 private:
  Form form_;
};

template <class Form>
std::unique_ptr<Prepared> prepare_on_host(const Problem& problem, Tensors& tensors, Context&) {
  const c10::InferenceMode mode(!Form::kRecords);
  use_threads(problem.threads);
  return std::make_unique<FormOnHost<Form>>(problem, tensors);
}
template <class Form>
void run_on_host(const Problem& problem, Tensors&, Context& context) {
  const c10::InferenceMode mode(!Form::kRecords);
  use_threads(problem.threads);
  static_cast<FormOnHost<Form>&>(*context.prepared).run();
}

}  // namespace bench
