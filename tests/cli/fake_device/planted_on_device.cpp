// SPDX-License-Identifier: Apache-2.0
// Kernels of the cuda backend for the pretended device of fake_cuda.cpp: the host computes, the device misbehaves.
#include <cuda_runtime_api.h>

#include "kernels/attention/attention.hpp"
#include "kernels/kernel.hpp"
#include "src/device/buffer.hpp"
#include "src/device/check.hpp"
#include "tests/cli/fake_device/fake_cuda.hpp"

namespace bench::attention {
namespace {

const Kernel& honest() {
  return *Registry<Kernel>::instance().find("attention/naive_cpu");
}
void compute(const Problem& problem, Tensors& tensors, Context& context) {
  honest().run(problem, tensors, context);
  fake_cuda::launch();
}

/// How often run was called in this visit is counted here; a megabyte of the device is taken for it.
struct Counted : Prepared {
  std::int64_t calls = 0;
  device::DeviceBuffer taken{1 << 20};
};
std::unique_ptr<Prepared> count(const Problem&, Tensors&, Context&) {
  return std::make_unique<Counted>();
}

void run_fault(const Problem& problem, Tensors& tensors, Context& context) {
  compute(problem, tensors, context);
  fake_cuda::break_context(cudaErrorIllegalAddress);
}
/// Right at first, and then a fault in the middle of the samples: after the checked call, one to warm up, and some.
void run_late_fault(const Problem& problem, Tensors& tensors, Context& context) {
  compute(problem, tensors, context);
  if (++static_cast<Counted*>(context.prepared)->calls == 4) fake_cuda::break_context(cudaErrorECCUncorrectable);
}
/// An error that says what is wrong with a call, and no more.
void run_refused(const Problem&, Tensors&, Context&) {
  BS_CUDA(cudaErrorInvalidValue);
}
/// A terabyte.
void run_greedy(const Problem&, Tensors&, Context&) {
  device::DeviceBuffer(std::int64_t{1} << 40);
}
void run_no_code(const Problem&, Tensors&, Context&) {
  BS_CUDA(cudaErrorNoKernelImageForDevice);
}
void run_hanging(const Problem& problem, Tensors& tensors, Context& context) {
  compute(problem, tensors, context);
  fake_cuda::hang();
}
/// Waits for its own work, which a capture does not allow.
void run_waiting(const Problem& problem, Tensors& tensors, Context& context) {
  compute(problem, tensors, context);
  BS_CUDA(cudaStreamSynchronize(static_cast<cudaStream_t>(context.stream)));
}
/// Puts nothing on the stream.
void run_elsewhere(const Problem& problem, Tensors& tensors, Context& context) {
  honest().run(problem, tensors, context);
}

Kernel planted(const char* name, void (*run)(const Problem&, Tensors&, Context&)) {
  return {.name = name,
          .op = "attention",
          .backend = Backend::cuda,
          .dtypes = {DType::f32},
          .about = "planted by a test",
          .workspace_bytes = [](const Problem& problem) -> std::int64_t {
            return honest().workspace_bytes != nullptr ? honest().workspace_bytes(problem) : 0;
          },
          .prepare = count,
          .run = run};
}
const Registrar<Kernel> fine{planted("attention/planted_fine_cuda", compute)};
const Registrar<Kernel> fault{planted("attention/planted_fault_cuda", run_fault)};
const Registrar<Kernel> late_fault{planted("attention/planted_late_fault_cuda", run_late_fault)};
const Registrar<Kernel> refused{planted("attention/planted_refused_cuda", run_refused)};
const Registrar<Kernel> greedy{planted("attention/planted_greedy_cuda", run_greedy)};
const Registrar<Kernel> no_code{planted("attention/planted_no_code_cuda", run_no_code)};
const Registrar<Kernel> hanging{planted("attention/planted_hanging_cuda", run_hanging)};
const Registrar<Kernel> waiting{planted("attention/planted_waiting_cuda", run_waiting)};
const Registrar<Kernel> elsewhere{planted("attention/planted_elsewhere_cuda", run_elsewhere)};

}  // namespace
}  // namespace bench::attention
