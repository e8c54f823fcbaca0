// SPDX-License-Identifier: Apache-2.0
#include <cuda_runtime.h>

#include "jobs/stream_bodies.hpp"
#include "jobs/stream_kernels_cuda.hpp"
#include "src/device/check.hpp"

namespace bench::jobs {
namespace {

__device__ std::uint32_t this_thread() {
  return blockIdx.x * blockDim.x + threadIdx.x;
}

constexpr int kThreads = Sweep::kThreads, kBlocks = kBlocksPerSm;  // registers for all of them at once

struct PastL1 {
  __device__ uint4 operator()(const uint4* piece) const { return __ldcg(piece); }
};
struct Exp2Approx {
  __device__ float operator()(float x) const {
    float y = 0.0F;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
  }
};

__global__ void fill_all(uint4* data, std::int64_t count, std::uint32_t times) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = this_thread(); i < count; i += step) data[i] = words_of<uint4>(static_cast<std::uint32_t>(i), times);
}
__global__ void __launch_bounds__(kThreads, kBlocks) read_all(Walk walk, const uint4* from, std::uint32_t* sink) {
  sink[this_thread()] = read_pieces(this_thread(), walk, from, PastL1{});
}
__global__ void __launch_bounds__(kThreads, kBlocks) copy_all(Walk walk, const uint4* from, uint4* to) {
  copy_pieces(this_thread(), walk, from, to, PastL1{});
}
__global__ void __launch_bounds__(kThreads, kBlocks) triad_all(Walk walk, const uint4* a, const uint4* b, uint4* to) {
  triad_pieces(this_thread(), walk, a, b, to, PastL1{});
}
__global__ void __launch_bounds__(kThreads, kBlocks) exponentiate(float* sink, std::int64_t rounds) {
  sink[this_thread()] = exponential_chains(this_thread(), rounds, Exp2Approx{});
}

template <class T>
T* as(const device::DeviceBuffer& buffer) {
  return reinterpret_cast<T*>(buffer.data());
}
cudaStream_t on(void* stream) {
  return static_cast<cudaStream_t>(stream);
}
Walk walk_of(const Sweep& sweep) {
  return {sweep.count, sweep.step(), sweep.visits};
}

}  // namespace

void fill(void* stream, const device::DeviceBuffer& data, std::uint32_t times) {
  constexpr unsigned kEnough = 512;  // for any device; nobody times it
  fill_all<<<kEnough, Sweep::kThreads, 0, on(stream)>>>(as<uint4>(data), data.bytes() / kPieceBytes, times);
  BS_CUDA(cudaGetLastError());
}

void read_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& sink) {
  read_all<<<sweep.blocks, Sweep::kThreads, 0, on(stream)>>>(walk_of(sweep), as<uint4>(from), as<std::uint32_t>(sink));
  BS_CUDA(cudaGetLastError());
}

void copy_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& from, const device::DeviceBuffer& to) {
  copy_all<<<sweep.blocks, Sweep::kThreads, 0, on(stream)>>>(walk_of(sweep), as<uint4>(from), as<uint4>(to));
  BS_CUDA(cudaGetLastError());
}

void triad_over(void* stream, const Sweep& sweep, const device::DeviceBuffer& a, const device::DeviceBuffer& b, const device::DeviceBuffer& to) {
  triad_all<<<sweep.blocks, Sweep::kThreads, 0, on(stream)>>>(walk_of(sweep), as<uint4>(a), as<uint4>(b), as<uint4>(to));
  BS_CUDA(cudaGetLastError());
}

void exponentials(void* stream, std::uint32_t blocks, std::int64_t rounds, const device::DeviceBuffer& sink) {
  exponentiate<<<blocks, Sweep::kThreads, 0, on(stream)>>>(as<float>(sink), rounds);
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::jobs
