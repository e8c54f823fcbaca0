// SPDX-License-Identifier: Apache-2.0
#include "src/device/l2_flush.hpp"

#include <cuda_runtime.h>

#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::device {
namespace {

constexpr std::int64_t kTimesL2 = 2;
constexpr int kThreads = 512;
constexpr std::int64_t kBlocksPerSm = 4;  // 2048 threads, what an SM of a big chip holds
constexpr unsigned kNever = 0x9e3779b9U;  // in no reading: all words of the buffer are one small number

/// A grid of threads strides over `count` pieces of 16 bytes.
__global__ void rewrite(uint4* data, std::int64_t count, unsigned pattern) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step)
    data[i] = make_uint4(pattern, pattern, pattern, pattern);
}

/// The same threads, past L1. The store never happens, which the compiler cannot know, so it keeps the loads.
__global__ void read(const uint4* data, std::int64_t count, unsigned* sink) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  unsigned seen = 0;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += step) {
    const uint4 piece = __ldcg(data + i);
    seen |= piece.x | piece.y | piece.z | piece.w;
  }
  if (seen == kNever) *sink = seen;
}

}  // namespace

L2Flush::L2Flush() {
  const Properties device = properties(current());
  blocks_ = kBlocksPerSm * device.sm_count;
  buffer_ = DeviceBuffer(kTimesL2 * device.l2_bytes);
  sink_ = DeviceBuffer(sizeof(unsigned));
}

void L2Flush::flush(const Stream& stream) {
  // Refused where nothing can persist (a share of a device): fine too.
  BS_CUDA_NOEXCEPT(cudaCtxResetPersistingL2Cache());
  const std::int64_t count = buffer_.bytes() / static_cast<std::int64_t>(sizeof(uint4));
  if (count == 0) return;  // a chip that tells of no L2
  auto* data = reinterpret_cast<uint4*>(buffer_.data());
  pattern_ = (pattern_ + 1) % 256;
  rewrite<<<static_cast<unsigned>(blocks_), kThreads, 0, stream.get()>>>(data, count, pattern_);
  BS_CUDA(cudaGetLastError());
  read<<<static_cast<unsigned>(blocks_), kThreads, 0, stream.get()>>>(
      data, count, reinterpret_cast<unsigned*>(sink_.data()));
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::device
