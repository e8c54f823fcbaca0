// SPDX-License-Identifier: Apache-2.0
// Launches a device's recurrence kernels: what their files share. With time last a block's lanes lie along the steps of one channel, otherwise along the
// channels; blocks have 256 threads.
#pragma once

#include <cuda_runtime.h>

#include <limits>
#include <memory>
#include <string>

#include "kernels/cuda/machine.cuh"
#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence_channels_tile.hpp"
#include "kernels/scan/recurrence_on_device_cuda.hpp"
#include "kernels/scan/recurrence_steps_tile.hpp"
#include "src/device/check.hpp"

namespace bench::scan {

template <class Body>
__global__ void __launch_bounds__(Body::kThreads) recurrence_part(const __grid_constant__ RecurrenceJob job) {
  Body::run(job);
}

template <class Body>
void launch_part(const RecurrenceJob& job, const Context& context) {
  recurrence_part<Body><<<static_cast<unsigned>(Body::blocks(job)), Body::kThreads, Body::kSharedBytes, static_cast<cudaStream_t>(context.stream)>>>(job);
  BS_CUDA(cudaGetLastError());
}

/// Tiles of kPieces x 256 x 16 bytes of a channel.
template <int kPieces>
struct StepsTiles {
  template <class T, Sweep kSweep, int>
  using Tile = StepsTile<cuda::Machine, T, kSweep, kPieces>;
  static constexpr bool kPairs = false;
  static std::string refuses(const RecurrenceProblem& p) { return p.time_last ? "" : "time_axis = middle: this kernel's lanes lie along the steps"; }
};

/// Tiles of kWarpSteps x 8 steps of 32 channels, or of 64 of 16 bits.
template <int kWarpSteps>
struct ChannelsTiles {
  template <class T, Sweep kSweep, int kWidth>
  using Tile = ChannelsTile<cuda::Machine, T, kSweep, kWarpSteps, kWidth>;
  static constexpr bool kPairs = true;
  static std::string refuses(const RecurrenceProblem& p) { return p.time_last ? "time_axis = last: this kernel's lanes lie along the channels" : ""; }
};

/// Calls f with the tile for this problem's elements.
template <class Tiles, Sweep kSweep, class F>
auto with_tile(const RecurrenceProblem& p, F&& f) {
  const auto of_16_bits = [&]<class T>() {
    if constexpr (Tiles::kPairs)
      if (p.channels % 2 == 0) return f.template operator()<typename Tiles::template Tile<T, kSweep, 2>>();
    return f.template operator()<typename Tiles::template Tile<T, kSweep, 1>>();
  };
  if (p.complex) return f.template operator()<typename Tiles::template Tile<ComplexNumber, kSweep, 1>>();
  if (p.dtype == DType::bf16) return of_16_bits.template operator()<Bf16>();
  if (p.dtype == DType::f16) return of_16_bits.template operator()<F16>();
  return f.template operator()<typename Tiles::template Tile<float, kSweep, 1>>();
}

/// Why numbers of these parts are not computed with; empty when they are.
inline std::string takes_numbers(const RecurrenceProblem& p) {
  if (p.complex && p.dtype != DType::f32) return concat("complex = true in ", to_text(p.dtype), ": this kernel's complex numbers are pairs of fp32");
  return {};
}

/// Why so many blocks are too many for one launch; empty when they are not.
inline std::string fits_a_launch(std::int64_t blocks) {
  if (blocks <= std::numeric_limits<std::int32_t>::max()) return {};
  return concat("the problem has ", blocks, " tiles: a launch has at most 2^31 - 1 blocks");
}

inline const RecurrenceJob& job_of(const Context& context) { return static_cast<const RecurrenceOnDevice&>(*context.prepared).job(); }

}  // namespace bench::scan
