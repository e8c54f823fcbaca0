// SPDX-License-Identifier: Apache-2.0
#include "src/device/buffer.hpp"

#include <cuda_runtime_api.h>

#include <atomic>
#include <cstring>

#include "src/core/error.hpp"
#include "src/device/check.hpp"

namespace bench::device {

namespace {

std::atomic<std::int64_t> allocated = 0, peak = 0;

void count(std::int64_t bytes) {
  const std::int64_t now = allocated += bytes;
  std::int64_t before = peak;
  while (before < now && !peak.compare_exchange_weak(before, now)) {
  }
}

}  // namespace

std::int64_t allocated_bytes() {
  return allocated;
}
std::int64_t peak_allocated_bytes() {
  return peak;
}
void forget_peak() {
  peak = allocated.load();
}

FreeMemory free_memory() {
  std::size_t free = 0, total = 0;
  if (!forgive(static_cast<int>(cudaMemGetInfo(&free, &total)))) return {};
  return {static_cast<std::int64_t>(free), static_cast<std::int64_t>(total)};
}

void raw::FreeDevice::operator()(std::byte* data) const noexcept {
  BS_CUDA_NOEXCEPT(cudaFree(data));
  allocated -= bytes;
}
void raw::FreeHost::operator()(std::byte* data) const noexcept {
  BS_CUDA_NOEXCEPT(cudaFreeHost(data));
}

DeviceBuffer::DeviceBuffer(std::int64_t bytes) {
  BS_REQUIRE(bytes >= 0, "a buffer of ", bytes, " bytes");
  if (bytes == 0) return;
  void* made = nullptr;
  const cudaError_t code = cudaMalloc(&made, static_cast<std::size_t>(bytes));
  if (code == cudaErrorMemoryAllocation && !forgive(static_cast<int>(code))) out_of_memory(bytes);
  BS_CUDA(code);
  data_ = {static_cast<std::byte*>(made), raw::FreeDevice{bytes}};
  count(bytes);
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
