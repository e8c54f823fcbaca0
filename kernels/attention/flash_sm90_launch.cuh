// SPDX-License-Identifier: Apache-2.0
// Launches Hopper's forward kernel (flash_sm90.hpp), of whichever rung: what the rungs' files share.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <type_traits>
#include <vector>

#include "kernels/attention/attention_on_device_cuda.hpp"
#include "kernels/attention/flash_sm90.hpp"
#include "kernels/cuda/hopper_device.cuh"
#include "kernels/cuda/hopper_machine.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tensor_map.cuh"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::attention {

using cuda::HopperMachine;
using HopperJob = FlashSm90Job<HopperMachine>;

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, 1) flash_sm90(const __grid_constant__ HopperJob job) {
  Body(job).run();
}

/// Calls f with the body for this problem's element type, head dimension and mask. Tiles are FlashAttention-3's (hopper/tile_size.h) but for D <= 64:
/// overlapped, a third warpgroup would leave each 160 registers a thread, and scores, weights and output take more. Where every row sees every
/// key the larger blocks of keys fill more of the tensor cores; a causal one's end is cut finer.
template <FlashSm90Rung kRung, class F>
void with_hopper_body(const AttentionProblem& p, F&& f) {
  const auto of_type = [&]<class T>() {
    const auto of_shape = [&]<FlashSm90Shape kShape>() { f.template operator()<FlashSm90<HopperMachine, T, kShape, kRung>>(); };
    if (p.head_dim <= 64) return of_shape.template operator()<FlashSm90Shape{64, 128, kRung.overlap ? 2 : 3}>();
    if constexpr (most_head_dim(kRung) > 128)
      if (p.head_dim > 128) return of_shape.template operator()<FlashSm90Shape{256, 80, 2}>();
    if (p.causal || p.masked()) return of_shape.template operator()<FlashSm90Shape{128, 128, 2}>();
    of_shape.template operator()<FlashSm90Shape{128, 176, 2, false}>();
  };
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  of_type.template operator()<F16>();
}

struct OnHopper final : AttentionOnDevice {
  template <class Body>
  OnHopper(std::type_identity<Body>, const AttentionProblem& p, Tensors& tensors, const device::Properties& device, bool persistent)
      : AttentionOnDevice(p, tensors), fetched(to_device(std::vector<std::uint32_t>{0})), multiprocessors(static_cast<int>(device.sm_count)) {
    const auto map = [&](const void* base, std::int64_t heads, std::int64_t length, int rows) { return cuda::tensor_map(base, p.batch * heads, length, p.head_dim, rows); };
    hopper_job = {job(),
                  persistent ? order_of_persistent_blocks(job(), Body::kRows, device.l2_bytes) : order_of_blocks(job(), Body::kRows),
                  reinterpret_cast<std::uint32_t*>(fetched.data()),
                  map(job().q, p.heads, p.seq, 64),
                  map(job().k, p.kv_heads, p.kv_length(), Body::kKeys),
                  map(job().v, p.kv_heads, p.kv_length(), Body::kKeys),
                  map(job().out, p.heads, p.seq, 64)};
  }
  device::DeviceBuffer fetched;
  int multiprocessors;
  HopperJob hopper_job;
};

template <FlashSm90Rung kRung>
std::string hopper_supports(const Problem& problem) {
  const std::int64_t head_dim = problem_as<AttentionProblem>(problem).head_dim;
  const std::string reason = needs_whole_chunks(head_dim, most_head_dim(kRung));
  return !reason.empty() || head_dim <= 128 ? reason : supports_only(problem, {Feature::window, Feature::padding, Feature::kv_seq});  // knows_all()
}

template <FlashSm90Rung kRung>
std::unique_ptr<Prepared> prepare_on_hopper(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const device::Properties device = cuda::hopper_device();
  std::unique_ptr<Prepared> prepared;
  with_hopper_body<kRung>(p, [&]<class Body>() {
    cuda::take_shared_memory(flash_sm90<Body>, Body::kSharedBytes + cuda::kTileAlignment_bytes);
    prepared = std::make_unique<OnHopper>(std::type_identity<Body>{}, p, tensors, device, kRung.persistent);
  });
  return prepared;
}

template <FlashSm90Rung kRung>
void run_on_hopper(const Problem& problem, Tensors&, Context& context) {
  const auto& prepared = static_cast<const OnHopper&>(*context.prepared);
  with_hopper_body<kRung>(problem_as<AttentionProblem>(problem), [&]<class Body>() {
    const int blocks = Body::blocks(prepared.hopper_job, prepared.multiprocessors);
    flash_sm90<Body><<<blocks, Body::kThreads, Body::kSharedBytes + cuda::kTileAlignment_bytes, static_cast<cudaStream_t>(context.stream)>>>(prepared.hopper_job);
    BS_CUDA(cudaGetLastError());
  });
}

}  // namespace bench::attention
