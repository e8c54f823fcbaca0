// SPDX-License-Identifier: Apache-2.0
// A quantised layer with few rows of x on a device: its packets, its cut, its one launch (skinny_body.hpp). What int4_cuda and int8_cuda share.
#pragma once

#include <cuda_runtime.h>

#include <limits>
#include <memory>
#include <string>

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/machine.cuh"
#include "kernels/device_tensors_cuda.hpp"
#include "kernels/linear/skinny_body.hpp"
#include "src/device/check.hpp"
#include "src/device/device.hpp"

namespace bench::linear {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads, Body::kBlocksEach) skinny(const __grid_constant__ SkinnyJob job) {
  Body(job).run();
}

/// Calls f with the body that takes the problem: by type, rows of x, and inputs that share a scale.
template <int kBits, class F>
auto with_skinny(const LinearProblem& p, F&& f) {
  const auto of_shape = [&]<class T, SkinnyShape kShape>() {
    if constexpr (kBits == 4)
      if (p.recipe.group == 32) return f.template operator()<Skinny<cuda::Machine, T, kBits, 32, kShape>>();
    return f.template operator()<Skinny<cuda::Machine, T, kBits, 64, kShape>>();
  };
  const auto of_type = [&]<class T>() {
    if (p.m <= 2) return of_shape.template operator()<T, kOneOrTwoRows>();
    if constexpr (!std::is_same_v<T, float>)  // three parts of x beside that many sums would be more than there are registers
      if (p.m > 8) return of_shape.template operator()<T, kSixteenRows>();
    return of_shape.template operator()<T, kEightRows>();
  };
  if (p.dtype == DType::f32) return of_type.template operator()<float>();
  if (p.dtype == DType::bf16) return of_type.template operator()<Bf16>();
  return of_type.template operator()<F16>();
}

inline constexpr std::int64_t kSkinnyX_bytes = 72 << 10;  // of shared memory that a block's share of x takes at most: 4096 inputs of 8 rows
inline constexpr std::int64_t kBlocksEach = 2;            // of a multiprocessor: 16 warps with 2 KiB or more on their way each

/// Makes the body ready for its launches, and cuts the layer for this device.
template <class Body>
SkinnyPlan plan_on_device(const LinearProblem& p, const CodePackets& packets) {
  cuda::take_shared_memory(skinny<Body>, static_cast<int>(kSkinnyX_bytes));
  const std::int64_t tiles = ceil_div(p.n, Body::kColumns) * ceil_div(p.m, Body::kRows);
  const int rows = static_cast<int>(std::min<std::int64_t>(p.m, Body::kRows));
  return plan_skinny(tiles, packets.chunks, device::properties(device::current()).sm_count * kBlocksEach, Body::most_chunks(rows, kSkinnyX_bytes));
}

class SkinnyOnDevice final : public DeviceTensors {
 public:
  SkinnyOnDevice(const LinearProblem& p, Tensors& tensors, const CodePackets& packets, const SkinnyPlan& plan)
      : DeviceTensors(tensors, {"y"}, {"w"}),
        words_(to_device(packets.words)),
        scales_(to_device(packets.scales)),
        parts_(plan.splits > 1 ? plan.splits * p.m * p.n * 4 : 0),
        arrived_(to_device(std::vector<std::uint32_t>(static_cast<std::size_t>(plan.splits > 1 ? ceil_div(p.m, 8) * packets.tiles : 0)))),
        job_(skinny_job(p, packets, plan)) {
    job_.x = data("x");
    job_.y = data("y");
    job_.packets = words_.data();
    (p.recipe.bits == 4 ? job_.scales : job_.finish.scales) = scales_.data();
    job_.finish.bias = data("bias");
    job_.parts = reinterpret_cast<float*>(parts_.data());
    job_.arrived = reinterpret_cast<std::uint32_t*>(arrived_.data());
  }
  const SkinnyJob& job() const { return job_; }

 private:
  device::DeviceBuffer words_, scales_, parts_, arrived_;
  SkinnyJob job_;
};

template <int kBits>
std::unique_ptr<Prepared> prepare_skinny(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<LinearProblem>(problem);
  const CodePackets packets = pack_codes(quantise(tensors["w"], p.recipe, p.dtype, p.threads), p.dtype, p.threads);
  const SkinnyPlan plan = with_skinny<kBits>(p, [&]<class Body>() { return plan_on_device<Body>(p, packets); });
  return std::make_unique<SkinnyOnDevice>(p, tensors, packets, plan);
}

template <int kBits>
void run_skinny(const Problem& problem, Tensors&, Context& context) {
  const SkinnyJob& job = static_cast<const SkinnyOnDevice&>(*context.prepared).job();
  with_skinny<kBits>(problem_as<LinearProblem>(problem), [&]<class Body>() {
    skinny<Body><<<Body::blocks(job), Body::kThreads, Body::shared_bytes(job), static_cast<cudaStream_t>(context.stream)>>>(job);
  });
  BS_CUDA(cudaGetLastError());
}

}  // namespace bench::linear
