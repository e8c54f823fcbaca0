// SPDX-License-Identifier: Apache-2.0
// Rows of a matrix into a tile in shared memory (swizzle.hpp) by the asynchronous copies of a whole block of threads.
#pragma once

#include <cstdint>

#include "kernels/cuda/function.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::cuda {

/// Tiles of kDim columns, of which a matrix has `columns`, a multiple of 8. kThreads threads, eight a 128-byte row; a thread's chunk is the same in
/// all its rows.
template <class M, class T, int kThreads, int kDim>
struct TileFetch {
  /// Asks for kCount rows from `from` on; those behind the first `there` are zero, and so are columns behind the matrix's. Not committed.
  template <int kCount>
  BS_DEVICE static void rows(std::uint32_t to, const T* from, int columns, int there) {
    rows_apart<kCount>(to, from, columns, columns, there);
  }

  /// The same of rows that begin `pitch` elements apart, a multiple of 8.
  template <int kCount>
  BS_DEVICE static void rows_apart(std::uint32_t to, const T* from, int pitch, int columns, int there) {
    constexpr int kPages = kDim / kPageColumns, kStep = kThreads / 8 / kPages;
    static_assert(kCount % kStep == 0);
    const int chunk = M::thread() / 8 % kPages * kPageChunks + M::thread() % 8, row = M::thread() / 8 / kPages;
    const int mine = chunk * kChunkElements < columns ? there - row : 0;  // that are there, from this thread's first one
    const T* const anywhere = from;
    from += static_cast<std::int64_t>(row) * pitch + chunk * kChunkElements;
    BS_UNROLL
    for (int i = 0; i < kCount / kStep; ++i) {
      const bool valid = i * kStep < mine;
      M::copy16(to + swizzled(row + i * kStep, chunk, kCount), valid ? from : anywhere, valid);
      from += kStep * pitch;  // in 32 bits: a stride of 64 costs kernels that are short of registers two more
    }
  }
};

}  // namespace bench::cuda
