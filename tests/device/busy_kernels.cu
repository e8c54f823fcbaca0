// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include "src/device/check.hpp"
#include "src/device/global_timer.cuh"
#include "tests/device/busy.hpp"

namespace bench::device::test {
namespace {

__global__ void spin(std::uint64_t duration_ns) {
  const std::uint64_t begin = global_ns();
  while (global_ns() - begin < duration_ns) {
  }
}

__global__ void store_one(std::uint32_t* flag) {
  *flag = 1;
}

/// The store is for the compiler: no buffer in the tests holds that word in every place.
__global__ void sum_words(uint4* data, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  unsigned seen = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step) {
    const uint4 piece = __ldcg(data + i);
    seen |= piece.x | piece.y | piece.z | piece.w;
  }
  if (seen == 0x9e3779b9U) data[0].x = seen;
}

}  // namespace

void be_busy(const Stream& stream, std::uint64_t duration_ns) {
  spin<<<1, 1, 0, stream.get()>>>(duration_ns);
  BS_CUDA(cudaGetLastError());
}

void raise_flag(const Stream& stream, const Mapped<std::uint32_t>& flag) {
  store_one<<<1, 1, 0, stream.get()>>>(flag.device());
  BS_CUDA(cudaGetLastError());
}

void read_all(const Stream& stream, const DeviceBuffer& data) {
  const auto count = data.bytes() / static_cast<std::int64_t>(sizeof(uint4));
  sum_words<<<512, 256, 0, stream.get()>>>(reinterpret_cast<uint4*>(data.data()), count);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::device::test
