// SPDX-License-Identifier: Apache-2.0
// How wgmma is told where an operand lies in shared memory: a 64-bit descriptor (PTX ISA 8.5, 9.7.15.5.1). Tiles are pages of 64 columns, 128
// bytes a row, swizzled by 128 bytes (swizzle.hpp), 1024-byte aligned; fields count 16-byte units.
#pragma once

#include <cstdint>

#include "kernels/cuda/swizzle.hpp"

namespace bench::cuda {

inline constexpr std::uint64_t kSwizzle128 = std::uint64_t{1} << 62;
inline constexpr std::uint32_t kEightRows_bytes = 8 * kPageChunks * kChunkBytes;  // from a row to the eighth below: the stride offset

BS_HOST_DEVICE std::uint64_t descriptor(std::uint32_t at, std::uint32_t leading_bytes, std::uint32_t stride_bytes) {
  const auto units = [](std::uint32_t bytes) { return static_cast<std::uint64_t>((bytes & 0x3ffff) >> 4); };
  return units(at) | units(leading_bytes) << 16 | units(stride_bytes) << 32 | kSwizzle128;
}

/// Columns 16 k .. 16 k + 15 of a tile of `rows` rows at `tile`, whose rows from `row` on (a multiple of 8) are those of the operand: Q and K of Q K^T.
BS_HOST_DEVICE std::uint64_t columns_descriptor(std::uint32_t tile, int rows, int row, int k) {
  const std::uint32_t page = static_cast<std::uint32_t>(k / 4 * rows * kPageChunks * kChunkBytes);
  return descriptor(tile + page + static_cast<std::uint32_t>(row * kPageChunks * kChunkBytes + k % 4 * 2 * kChunkBytes), 16, kEightRows_bytes);
}

/// Rows 16 k .. 16 k + 15 of a tile of `rows` rows, all columns, as the right operand with its rows as they lie: V of P V.
BS_HOST_DEVICE std::uint64_t rows_descriptor(std::uint32_t tile, int rows, int k) {
  return descriptor(tile + static_cast<std::uint32_t>(k * 16 * kPageChunks * kChunkBytes), static_cast<std::uint32_t>(rows * kPageChunks * kChunkBytes),
                    kEightRows_bytes);
}

}  // namespace bench::cuda
