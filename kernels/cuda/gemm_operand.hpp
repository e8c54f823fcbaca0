// SPDX-License-Identifier: Apache-2.0
// How a product on tensor cores (gemm_mma.hpp) comes by its operands: elements that lie in memory as rows, into swizzled pages of shared memory and on into registers.
// Another right operand, such as one that is unpacked on its way, has the same five names as GemmRows.
#pragma once

#include <cstdint>

#include "kernels/cuda/gemm.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::cuda {

inline constexpr int kGemmThreads = 256, kGemmDepth = kPageColumns;  // of K a step
inline constexpr std::uint32_t kSixteenRows_bytes = 16 * kPageChunks * kChunkBytes;

/// Asks for kTileRows rows of kPages pages: from row `row0` and column `column0` on of a matrix that ends at `rows` and `columns`. Eight threads
/// a 128-byte row.
template <class M, class T, int kTileRows, int kPages>
BS_DEVICE void fetch_pages(std::uint32_t to, const T* matrix, int pitch, int row0, int rows, int column0, int columns) {
  const int row = M::thread() / 8, chunk = M::thread() % 8, column = column0 + chunk * kChunkElements;
  const T* from = matrix + static_cast<std::int64_t>(row0 + row) * pitch + column;
  BS_UNROLL
  for (int page = 0; page < kPages; ++page) {
    BS_UNROLL
    for (int down = 0; down < kTileRows; down += kGemmThreads / 8) {
      const bool there = row0 + row + down < rows && column + page * kPageColumns < columns;
      const T* const at = from + static_cast<std::int64_t>(down) * pitch + page * kPageColumns;
      M::copy16(to + swizzled(row + down, page * kPageChunks + chunk, kTileRows), there ? at : matrix, there);
    }
  }
}

/// The right operand as it lies in memory.
template <class M, class T, GemmForm kForm, int kColumns>
class GemmRows {
 public:
  struct Source {};  // all is in the job
  static constexpr int kStageBytes = tile_bytes(kColumns, kGemmDepth);

  BS_DEVICE GemmRows(const GemmJob& job, const GemmPlace& at, const Source&)
      : b_(static_cast<const T*>(job.b) + at.item / job.share * job.step_b), pitch_(job.pitch_b), n_(job.n), column0_(at.column0) {}

  /// Asks for a step of K from k0 on.
  BS_DEVICE void fetch_step(std::uint32_t stage, int k0, int k_end) const {
    if constexpr (kForm == GemmForm::nt)
      fetch_pages<M, T, kColumns, 1>(stage, b_, pitch_, column0_, n_, k0, k_end);
    else
      fetch_pages<M, T, kGemmDepth, kColumns / kPageColumns>(stage, b_, pitch_, k0, k_end, column0_, n_);
  }

  /// A step that is here, for a warp whose columns begin at `column` of the tile's.
  struct Step {
    std::uint32_t tile;
    int column;

    BS_DEVICE Step(std::uint32_t stage, int first) : tile(stage), column(first) {}
    /// Sixteen of K by sixteen columns: the operands of columns 16 n .. + 7, then those of the next eight.
    BS_DEVICE void load(std::uint32_t (&b)[4], int n, int d) const {
      const int lane = M::thread() % 32;
      if constexpr (kForm == GemmForm::nt) {
        const std::uint32_t at = tile + swizzled(column + lane % 8 + lane / 16 * 8, lane / 8 % 2, kColumns);
        M::load_matrix(b, moved_by_pairs(at, d, kColumns) + n * kSixteenRows_bytes);
      } else {
        const std::uint32_t at = tile + swizzled(lane % 16, lane / 16, kGemmDepth);
        M::load_matrix_transposed(b, moved_by_pairs(at, column / 16 + n, kGemmDepth) + d * kSixteenRows_bytes);
      }
    }
  };

 private:
  const T* b_;
  int pitch_, n_, column0_;
};

}  // namespace bench::cuda
