// SPDX-License-Identifier: Apache-2.0
// The toy op of tests/jobs on a device: right, wrong in one element that only the device writes, and writing where nothing is.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/device_tensors_cuda.hpp"
#include "src/device/check.hpp"

namespace bench::jobs::toy {
namespace {

/// One block; its threads stride over the elements.
__global__ void twice(const float* x, float* y, std::int64_t count, float first) {
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) y[i] = (i == 0 ? first : 2.0F) * x[i];
}

void launch(Tensors& tensors, Context& context, float first) {
  const auto& here = static_cast<const DeviceTensors&>(*context.prepared);
  twice<<<1, 32, 0, static_cast<cudaStream_t>(context.stream)>>>(
      reinterpret_cast<const float*>(here.data("x")), reinterpret_cast<float*>(here.data("out")), tensors["out"].count(), first);
  BS_CUDA(cudaGetLastError());
}

std::unique_ptr<Prepared> prepare(const Problem&, Tensors& tensors, Context&) {
  return std::make_unique<DeviceTensors>(tensors, std::vector<std::string>{"out"});
}

const Registrar<Kernel> right{
    {.name = "toy/right_cuda",
     .op = "toy",
     .backend = Backend::cuda,
     .dtypes = {DType::f32},
     .prepare = prepare,
     .run = [](const Problem&, Tensors& tensors, Context& context) { launch(tensors, context, 2.0F); }}};
const Registrar<Kernel> wrong{
    {.name = "toy/wrong_cuda",
     .op = "toy",
     .backend = Backend::cuda,
     .dtypes = {DType::f32},
     .prepare = prepare,
     .run = [](const Problem&, Tensors& tensors, Context& context) { launch(tensors, context, 3.0F); }}};

/// The fault shows when the device is waited for, not here.
void fault(Tensors& tensors, Context& context) {
  const auto& here = static_cast<const DeviceTensors&>(*context.prepared);
  twice<<<1, 32, 0, static_cast<cudaStream_t>(context.stream)>>>(reinterpret_cast<const float*>(here.data("x")), nullptr,
                                                                 tensors["out"].count(), 2.0F);
  BS_CUDA(cudaGetLastError());
}
const Registrar<Kernel> faulting{
    {.name = "toy/faulting_cuda",
     .op = "toy",
     .backend = Backend::cuda,
     .dtypes = {DType::f32},
     .prepare = prepare,
     .run = [](const Problem&, Tensors& tensors, Context& context) { fault(tensors, context); }}};

}  // namespace
}  // namespace bench::jobs::toy
