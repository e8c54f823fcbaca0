// SPDX-License-Identifier: Apache-2.0
// Tensor maps for the copy engine, made on the host. The encoder is asked of the driver at run time, so that nothing has to be linked with it.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

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

/// A tensor (z, y, x) of 16-bit elements at `base`, rows of x contiguous and a multiple of 16 bytes, in boxes of (1, box_y, 64) with the
/// 128-byte swizzle. What lies outside of it is read as zero.
inline CUtensorMap tensor_map(const void* base, std::int64_t z, std::int64_t y, std::int64_t x, int box_y) {
  constexpr std::uint32_t kColumns = 64;
  const cuuint64_t extent[3] = {static_cast<cuuint64_t>(x), static_cast<cuuint64_t>(y), static_cast<cuuint64_t>(z)};
  const cuuint64_t pitch_bytes[2] = {extent[0] * 2, extent[0] * extent[1] * 2};
  const cuuint32_t box[3] = {kColumns, static_cast<cuuint32_t>(box_y), 1}, steps[3] = {1, 1, 1};
  CUtensorMap map;
  const CUresult result = tensor_map_encoder()(&map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 3, const_cast<void*>(base), extent, pitch_bytes, box, steps,
                                               CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  BS_REQUIRE(result == CUDA_SUCCESS, "the driver refuses a tensor map of (", z, ", ", y, ", ", x, "): CUDA driver error ", static_cast<int>(result));
  return map;
}

}  // namespace bench::cuda
