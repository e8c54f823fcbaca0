// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include <algorithm>

#include "jobs/stream_kernels_cuda.hpp"
#include "src/core/error.hpp"
#include "src/device/check.hpp"

namespace bench::jobs {
namespace {

constexpr std::int64_t kPiece = sizeof(uint4);

__device__ std::uint32_t this_thread() {
  return blockIdx.x * blockDim.x + threadIdx.x;
}

/// Calls body(piece) for every visit of this thread. Eight at a time, so that their loads are on the way together.
template <class Body>
__device__ void sweep_over(std::uint32_t count, std::uint32_t step, std::int64_t visits, Body&& body) {
  std::uint32_t i = this_thread() % count;
#pragma unroll 8
  for (std::int64_t v = 0; v < visits; ++v) {
    body(i);
    i += step;
    if (i >= count) i -= count;
  }
}

__device__ uint4 words_of(std::uint32_t i, std::uint32_t times) {
  const std::uint32_t w = i * times;
  return make_uint4(w * 1U, w * 2654435761U, w * 40503U, w * 0x9e3779b9U);
}

__global__ void fill_pieces(uint4* data, std::int64_t count, std::uint32_t times) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = this_thread(); i < count; i += step) data[i] = words_of(static_cast<std::uint32_t>(i), times);
}

// Loads go past L1: a thread may come back to a piece.
__global__ void read_pieces(const uint4* from, std::uint32_t* sink, std::uint32_t count, std::uint32_t step, std::int64_t visits) {
  std::uint32_t sum = 0;
  sweep_over(count, step, visits, [&](std::uint32_t i) {
    const uint4 piece = __ldcg(from + i);
    sum += piece.x + piece.y + piece.z + piece.w;
  });
  sink[this_thread()] = sum;
}

__global__ void copy_pieces(const uint4* from, uint4* to, std::uint32_t count, std::uint32_t step, std::int64_t visits) {
  sweep_over(count, step, visits, [&](std::uint32_t i) { to[i] = __ldcg(from + i); });
}

__global__ void triad_pieces(const uint4* a, const uint4* b, uint4* to, std::uint32_t count, std::uint32_t step, std::int64_t visits) {
  sweep_over(count, step, visits, [&](std::uint32_t i) {
    const uint4 x = __ldcg(a + i), y = __ldcg(b + i);
    to[i] = make_uint4(x.x + 3 * y.x, x.y + 3 * y.y, x.z + 3 * y.z, x.w + 3 * y.w);
  });
}

__device__ float exp2_of_minus(float x) {
  float y = 0.0F;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(-x));
  return y;
}

__global__ void iterate_exponentials(float* sink, std::int64_t rounds) {
  float x[kChains];
#pragma unroll
  for (int k = 0; k < kChains; ++k) x[k] = 0.1F * static_cast<float>(k) + 0.001F * static_cast<float>(threadIdx.x % 32);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma unroll
    for (int k = 0; k < kChains; ++k) x[k] = exp2_of_minus(x[k]);
  }
  float sum = 0.0F;
#pragma unroll
  for (int k = 0; k < kChains; ++k) sum += x[k];
  sink[this_thread()] = sum;
}

template <class T>
T* as(const device::DeviceBuffer& buffer) {
  return reinterpret_cast<T*>(buffer.data());
}
std::uint32_t step_of(const Sweep& sweep) {
  return static_cast<std::uint32_t>(sweep.threads() % sweep.count);
}

}  // namespace

Sweep sweep_of(std::int64_t bytes, std::int64_t sm_count, std::int64_t traffic) {
  const std::int64_t count = bytes / kPiece;
  BS_REQUIRE(count > 0 && count <= std::int64_t{1} << 31, "a sweep over ", bytes, " bytes");
  Sweep sweep{.count = static_cast<std::uint32_t>(count), .blocks = static_cast<std::uint32_t>(kBlocksPerSm * sm_count)};
  const std::int64_t pieces = std::max(count, traffic / kPiece);
  sweep.visits = (pieces + sweep.threads() - 1) / sweep.threads();
  return sweep;
}

void fill(void* stream, const device::DeviceBuffer& data, std::uint32_t times) {
  fill_pieces<<<512, Sweep::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(as<uint4>(data), data.bytes() / kPiece, times);
  BS_CUDA(cudaGetLastError());
}

void read_over(void* stream, const Sweep& s, const device::DeviceBuffer& from, const device::DeviceBuffer& sink) {
  read_pieces<<<s.blocks, Sweep::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(as<uint4>(from), as<std::uint32_t>(sink), s.count, step_of(s), s.visits);
  BS_CUDA(cudaGetLastError());
}

void copy_over(void* stream, const Sweep& s, const device::DeviceBuffer& from, const device::DeviceBuffer& to) {
  copy_pieces<<<s.blocks, Sweep::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(as<uint4>(from), as<uint4>(to), s.count, step_of(s), s.visits);
  BS_CUDA(cudaGetLastError());
}

void triad_over(void* stream, const Sweep& s, const device::DeviceBuffer& a, const device::DeviceBuffer& b,
                const device::DeviceBuffer& to) {
  triad_pieces<<<s.blocks, Sweep::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(as<uint4>(a), as<uint4>(b), as<uint4>(to), s.count, step_of(s), s.visits);
  BS_CUDA(cudaGetLastError());
}

void exponentials(void* stream, std::uint32_t blocks, std::int64_t rounds, const device::DeviceBuffer& sink) {
  iterate_exponentials<<<blocks, Sweep::kThreads, 0, static_cast<cudaStream_t>(stream)>>>(as<float>(sink), rounds);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::jobs
