// SPDX-License-Identifier: Apache-2.0
#include "kernels/device_tensors_cuda.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>

#include "src/device/check.hpp"

namespace bench {

void copy_to_device(std::byte* to, const void* from, std::int64_t bytes) {
  if (bytes == 0) return;
  BS_CUDA(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice));
  BS_CUDA(cudaStreamSynchronize(nullptr));  // from pageable memory the call returns before the data are there
}

void copy_from_device(void* to, const std::byte* from, std::int64_t bytes) {
  if (bytes > 0) BS_CUDA(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost));
}

std::string needs_whole_chunks(std::int64_t head_dim, std::int64_t most) {
  if (head_dim <= most && head_dim % 8 == 0) return {};
  return concat("head_dim = ", head_dim, ": this kernel takes multiples of 8 up to ", most);
}

DeviceTensors::DeviceTensors(Tensors& tensors, std::vector<std::string> outputs, const std::vector<std::string>& elsewhere) : outputs_(std::move(outputs)) {
  for (const auto& [name, tensor] : tensors.all()) {
    if (std::ranges::find(elsewhere, name) != elsewhere.end()) continue;
    const auto& buffer = buffers_.emplace(name, device::DeviceBuffer(tensor.bytes())).first->second;
    copy_to_device(buffer.data(), tensor.data(), tensor.bytes());
  }
}

void DeviceTensors::collect(Tensors& tensors) const {
  for (const std::string& name : outputs_) {
    Tensor& tensor = tensors[name];
    copy_from_device(tensor.data(), data(name), tensor.bytes());
  }
}

}  // namespace bench
