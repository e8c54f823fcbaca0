// SPDX-License-Identifier: Apache-2.0
#include "src/device/buffer.hpp"

#include <cuda_runtime_api.h>

#include <cstring>

#include "src/core/error.hpp"
#include "src/device/check.hpp"

namespace bench::device {

void raw::FreeDevice::operator()(std::byte* data) const noexcept {
  BS_CUDA_NOEXCEPT(cudaFree(data));
}
void raw::FreeHost::operator()(std::byte* data) const noexcept {
  BS_CUDA_NOEXCEPT(cudaFreeHost(data));
}

DeviceBuffer::DeviceBuffer(std::int64_t bytes) : bytes_(bytes) {
  BS_REQUIRE(bytes >= 0, "a buffer of ", bytes, " bytes");
  if (bytes == 0) return;
  void* made = nullptr;
  BS_CUDA(cudaMalloc(&made, static_cast<std::size_t>(bytes)));
  data_.reset(static_cast<std::byte*>(made));
}

MappedBytes::MappedBytes(std::int64_t bytes) {
  BS_REQUIRE(bytes >= 0, "a buffer of ", bytes, " bytes");
  if (bytes == 0) return;
  void* made = nullptr;
  BS_CUDA(cudaHostAlloc(&made, static_cast<std::size_t>(bytes), cudaHostAllocMapped | cudaHostAllocPortable));
  host_.reset(static_cast<std::byte*>(made));
  std::memset(made, 0, static_cast<std::size_t>(bytes));
  void* seen = nullptr;
  BS_CUDA(cudaHostGetDevicePointer(&seen, made, 0));
  device_ = static_cast<std::byte*>(seen);
}

}  // namespace bench::device
