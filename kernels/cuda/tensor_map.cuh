// SPDX-License-Identifier: Apache-2.0
// Tensor maps for the copy engine, made on the host. The encoder is asked of the driver at run time, so that nothing has to be linked with it.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "src/core/error.hpp"
#include "src/device/check.hpp"

namespace bench::cuda {

inline auto tensor_map_encoder() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  BS_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess) throw Error(ErrorKind::unavailable, "this driver knows no tensor maps: CUDA 12 has them");
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
}

/// A contiguous tensor of 16-bit elements at `base`, `extent` and `box` from the fastest dimension on; that one is a multiple of 16 bytes, and its box 64
/// columns with the 128-byte swizzle. What lies outside of it is read as zero.
template <std::size_t kRank>
CUtensorMap tensor_map(const void* base, const std::array<std::int64_t, kRank>& extent, const std::array<int, kRank>& box) {
  cuuint64_t extents[kRank], pitch_bytes[kRank];  // pitch_bytes[i]: from one to the next along dimension i + 1
  cuuint32_t boxes[kRank], steps[kRank];
  std::int64_t bytes = 2;
  for (std::size_t i = 0; i < kRank; ++i) {
    bytes *= extent[i];
    extents[i] = static_cast<cuuint64_t>(extent[i]);
    pitch_bytes[i] = static_cast<cuuint64_t>(bytes);
    boxes[i] = static_cast<cuuint32_t>(box[i]);
    steps[i] = 1;
  }
  CUtensorMap map;
  const CUresult result = tensor_map_encoder()(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, kRank, const_cast<void*>(base), extents, pitch_bytes, boxes, steps,
                                               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  BS_REQUIRE(result == CUDA_SUCCESS, "the driver refuses a tensor map of ", kRank, " dimensions, the fastest two ", extent[0], " and ", extent[1], ": CUDA driver error ",
             static_cast<int>(result));
  return map;
}

/// A tensor (z, y, x) in boxes of (1, box_y, 64).
inline CUtensorMap tensor_map(const void* base, std::int64_t z, std::int64_t y, std::int64_t x, int box_y) {
  return tensor_map<3>(base, {x, y, z}, {64, box_y, 1});
}
/// A tensor (w, z, y, x) in boxes of (1, box_z, 1, 64).
inline CUtensorMap tensor_map(const void* base, std::int64_t w, std::int64_t z, std::int64_t y, std::int64_t x, int box_z) {
  return tensor_map<4>(base, {x, y, z, w}, {64, 1, box_z, 1});
}

}  // namespace bench::cuda
