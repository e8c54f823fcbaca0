// SPDX-License-Identifier: Apache-2.0
// The toy op of tests/jobs on a device: right, and wrong in one element that only the device writes.
#include <cuda_runtime.h>

#include <memory>

#include "kernels/kernel.hpp"
#include "src/device/buffer.hpp"
#include "src/device/check.hpp"

namespace bench::jobs::toy {
namespace {

/// x in the device's memory, and the host's own `out` mapped into the device's addresses, so that a launch
/// writes where the check reads.
class OnDevice final : public Prepared {
 public:
  explicit OnDevice(Tensors& tensors) : out_(tensors["out"]), x_(out_.bytes()) {
    BS_CUDA(cudaMemcpy(x_.data(), tensors["x"].data(), static_cast<std::size_t>(out_.bytes()),
                       cudaMemcpyHostToDevice));
    BS_CUDA(cudaHostRegister(out_.data(), static_cast<std::size_t>(out_.bytes()), cudaHostRegisterMapped));
    registered_.reset(out_.data());
    void* seen = nullptr;
    BS_CUDA(cudaHostGetDevicePointer(&seen, out_.data(), 0));
    y_ = static_cast<float*>(seen);
  }
  const float* x() const { return reinterpret_cast<const float*>(x_.data()); }
  float* y() const { return y_; }
  std::int64_t count() const { return out_.count(); }

 private:
  struct Unregister {
    void operator()(std::byte* data) const noexcept { BS_CUDA_NOEXCEPT(cudaHostUnregister(data)); }
  };
  Tensor& out_;
  device::DeviceBuffer x_;
  std::unique_ptr<std::byte, Unregister> registered_;
  float* y_ = nullptr;
};

/// One block; its threads stride over the elements.
__global__ void twice(const float* x, float* y, std::int64_t count, float first) {
  for (std::int64_t i = threadIdx.x; i < count; i += blockDim.x) y[i] = (i == 0 ? first : 2.0F) * x[i];
}

void launch(Context& context, float first) {
  const auto& prepared = static_cast<const OnDevice&>(*context.prepared);
  twice<<<1, 32, 0, static_cast<cudaStream_t>(context.stream)>>>(prepared.x(), prepared.y(), prepared.count(),
                                                                 first);
  BS_CUDA(cudaGetLastError());
}

std::unique_ptr<Prepared> prepare(const Problem&, Tensors& tensors, Context&) {
  return std::make_unique<OnDevice>(tensors);
}

const Registrar<Kernel> right{
    {.name = "toy/right_cuda",
     .op = "toy",
     .backend = Backend::cuda,
     .dtypes = {DType::f32},
     .prepare = prepare,
     .run = [](const Problem&, Tensors&, Context& context) { launch(context, 2.0F); }}};
const Registrar<Kernel> wrong{
    {.name = "toy/wrong_cuda",
     .op = "toy",
     .backend = Backend::cuda,
     .dtypes = {DType::f32},
     .prepare = prepare,
     .run = [](const Problem&, Tensors&, Context& context) { launch(context, 3.0F); }}};

}  // namespace
}  // namespace bench::jobs::toy
