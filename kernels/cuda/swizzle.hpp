// SPDX-License-Identifier: Apache-2.0
// Where a tile of 16-bit elements lies in shared memory.
//
// A tile of R rows by D columns is cut into pages of 64 columns: R rows of 128 bytes each, 8 chunks of 16 bytes a row. Chunk c of row r
// is stored at chunk c ^ (r mod 8): the eight rows that ldmatrix reads at one column lie in eight different sets of four banks, and so
// do the eight chunks of a row that eight threads write. The same pattern as the copy engine's 128-byte swizzle on Hopper.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"

namespace bench::cuda {

inline constexpr int kChunkBytes = 16, kChunkElements = 8;
inline constexpr int kPageChunks = 8, kPageColumns = kPageChunks * kChunkElements;

/// Byte offset of chunk `chunk` (columns 8 chunk .. 8 chunk + 7) of row `row` in a tile of `rows` rows, from the tile's base, which is
/// 1024-byte aligned.
BS_HOST_DEVICE std::uint32_t swizzled(int row, int chunk, int rows) {
  const int page = chunk / kPageChunks, within = chunk % kPageChunks;
  return static_cast<std::uint32_t>(((page * rows + row) * kPageChunks + (within ^ (row % 8))) * kChunkBytes);
}

/// From the place of a chunk to that of chunk + `chunks` in the same row: an exclusive or and a constant, where a place worked out anew would keep
/// a register for every chunk. Of the first chunk's number no bit may be set that is set in chunks mod 8.
BS_HOST_DEVICE std::uint32_t moved_by_chunks(std::uint32_t at, int chunks, int rows) {
  return (at ^ static_cast<std::uint32_t>(chunks % kPageChunks * kChunkBytes)) +
         static_cast<std::uint32_t>(chunks / kPageChunks * rows * kPageChunks * kChunkBytes);
}
/// The same from a chunk < 2 by pairs of chunks, 16 columns each.
BS_HOST_DEVICE std::uint32_t moved_by_pairs(std::uint32_t at, int pairs, int rows) { return moved_by_chunks(at, 2 * pairs, rows); }

/// A block's dynamic shared memory begins anywhere; a launch asks for so much more than its tiles take, and Machine::shared() rounds up.
inline constexpr int kTileAlignment_bytes = 1024;

/// Bytes of a tile; `columns` a multiple of 64.
BS_HOST_DEVICE constexpr int tile_bytes(int rows, int columns) { return rows * columns * 2; }

}  // namespace bench::cuda
