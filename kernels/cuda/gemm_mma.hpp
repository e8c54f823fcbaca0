// SPDX-License-Identifier: Apache-2.0
// A batched product of 16-bit matrices on tensor cores by mma.sync; the body as a template over its machine (kernels/cuda/machine.cuh).
//
// A block computes 128 x kColumns of C with eight warps, 64 of K at a time: three stages of tiles in shared memory, two of them on their way
// by asynchronous copies while the third is multiplied. Tiles are swizzled pages of 64 columns (swizzle.hpp), so an operand that lies the other
// way round is transposed by the matrix load and never in memory. With 64 columns: for outputs as narrow as a head. The scheme is that of
// CUTLASS' multistage sm_80 kernels ("Efficient GEMM in CUDA", its documentation); tiles and code are our own.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/gemm.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::cuda {

template <class M, class T, class Out, GemmForm kForm, int kColumns, class Tiles = EveryTile>
class GemmMma {
 public:
  static constexpr int kRows = 128, kDepth = kPageColumns, kStages = 3, kThreads = 256;
  static constexpr int kSharedBytes = kStages * tile_bytes(kRows + kColumns, kDepth);

  static BS_HOST_DEVICE int blocks(const GemmJob& job) { return job.tiles(kRows, kColumns); }

  BS_DEVICE GemmMma(const GemmJob& job, const Tiles& tiles)
      : job_(job),
        at_(job, M::block(), kRows, kColumns),
        tiles_(tiles),
        a_(static_cast<const T*>(job.a) + at_.item * job.step_a),
        b_(static_cast<const T*>(job.b) + at_.item / job.share * job.step_b) {}

  BS_DEVICE void run() {
    if (tiles_.skips(at_, kRows, kColumns)) return;
    BS_UNROLL
    for (int i = 0; i < kDown; ++i) {
      BS_UNROLL
      for (int n = 0; n < kAcross; ++n) {
        BS_UNROLL
        for (int j = 0; j < 4; ++j) sum_[i][n][j] = 0.0F;
      }
    }
    multiply_all(tiles_.steps(at_, kRows, job_.k));
    store();
  }

 private:
  static constexpr int kWarpsAcross = kColumns / 32, kWarpsDown = kThreads / 32 / kWarpsAcross;
  static constexpr int kDown = kRows / kWarpsDown / 16, kAcross = 4;  // a warp's tiles of 16 x 8
  static constexpr std::uint32_t kSixteenRows = 16 * kPageChunks * kChunkBytes;
  static constexpr std::uint32_t kStageBytes = tile_bytes(kRows + kColumns, kDepth), kBAt = tile_bytes(kRows, kDepth);

  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int warp_row() { return M::thread() / 32 / kWarpsAcross * (kDown * 16); }
  BS_DEVICE static int warp_column() { return M::thread() / 32 % kWarpsAcross * (kAcross * 8); }

  /// Asks for kTileRows rows of kPages pages: from row `row0` and column `column0` on of a matrix that ends at `rows` and `columns`. Eight threads
  /// a 128-byte row.
  template <int kTileRows, int kPages>
  BS_DEVICE static void fetch(std::uint32_t to, const T* matrix, int pitch, int row0, int rows, int column0, int columns) {
    const int row = M::thread() / 8, chunk = M::thread() % 8, column = column0 + chunk * kChunkElements;
    const T* from = matrix + static_cast<std::int64_t>(row0 + row) * pitch + column;
    BS_UNROLL
    for (int page = 0; page < kPages; ++page) {
      BS_UNROLL
      for (int down = 0; down < kTileRows; down += kThreads / 8) {
        const bool there = row0 + row + down < rows && column + page * kPageColumns < columns;
        const T* const at = from + static_cast<std::int64_t>(down) * pitch + page * kPageColumns;
        M::copy16(to + swizzled(row + down, page * kPageChunks + chunk, kTileRows), there ? at : matrix, there);
      }
    }
  }

  BS_DEVICE void fetch_step(std::uint32_t stage, int k0, int k_end) const {
    if constexpr (kForm == GemmForm::tn)
      fetch<kDepth, kRows / kPageColumns>(stage, a_, job_.pitch_a, k0, k_end, at_.row0, job_.m);
    else
      fetch<kRows, 1>(stage, a_, job_.pitch_a, at_.row0, job_.m, k0, k_end);
    if constexpr (kForm == GemmForm::nt)
      fetch<kColumns, 1>(stage + kBAt, b_, job_.pitch_b, at_.column0, job_.n, k0, k_end);
    else
      fetch<kDepth, kColumns / kPageColumns>(stage + kBAt, b_, job_.pitch_b, k0, k_end, at_.column0, job_.n);
  }

  BS_DEVICE void multiply_all(const GemmSteps& range) {
    const int steps = (range.end - range.first + kDepth - 1) / kDepth;
    BS_UNROLL
    for (int s = 0; s < kStages - 1; ++s) {
      if (s < steps) fetch_step(M::shared() + s * kStageBytes, range.first + s * kDepth, range.end);
      M::commit();
    }
    std::uint32_t stage = 0, free = kStages - 1;
    for (int s = 0; s < steps; ++s) {
      M::template wait<kStages - 2>();
      M::sync();  // this stage is here for all, and nobody reads the one before it any more
      if (s + kStages - 1 < steps) fetch_step(M::shared() + free * kStageBytes, range.first + (s + kStages - 1) * kDepth, range.end);
      M::commit();
      multiply(M::shared() + stage * kStageBytes);
      free = stage;
      stage = stage + 1 == kStages ? 0 : stage + 1;
    }
  }

  /// Sixteen rows by sixteen of K of A: rows 16 i on of the warp's, K 16 d on.
  BS_DEVICE static void load_a(std::uint32_t (&a)[4], std::uint32_t tile, int i, int d) {
    if constexpr (kForm == GemmForm::tn) {
      const std::uint32_t at = tile + swizzled(lane() / 16 * 8 + lane() % 8, lane() / 8 % 2, kDepth);
      M::load_matrix_transposed(a, moved_by_pairs(at, warp_row() / 16 + i, kDepth) + d * kSixteenRows);
    } else {
      const std::uint32_t at = tile + swizzled(warp_row() + lane() % 16, lane() / 16, kRows);
      M::load_matrix(a, moved_by_pairs(at, d, kRows) + i * kSixteenRows);
    }
  }
  /// Sixteen of K by sixteen columns of B: the operands of columns 16 n .. + 7, then those of the next eight.
  BS_DEVICE static void load_b(std::uint32_t (&b)[4], std::uint32_t tile, int n, int d) {
    if constexpr (kForm == GemmForm::nt) {
      const std::uint32_t at = tile + swizzled(warp_column() + lane() % 8 + lane() / 16 * 8, lane() / 8 % 2, kColumns);
      M::load_matrix(b, moved_by_pairs(at, d, kColumns) + n * kSixteenRows);
    } else {
      const std::uint32_t at = tile + swizzled(lane() % 16, lane() / 16, kDepth);
      M::load_matrix_transposed(b, moved_by_pairs(at, warp_column() / 16 + n, kDepth) + d * kSixteenRows);
    }
  }

  BS_DEVICE void multiply(std::uint32_t stage) {
    BS_UNROLL
    for (int d = 0; d < kDepth / 16; ++d) {
      std::uint32_t a[kDown][4], b[kAcross / 2][4];
      BS_UNROLL
      for (int i = 0; i < kDown; ++i) load_a(a[i], stage, i, d);
      BS_UNROLL
      for (int n = 0; n < kAcross / 2; ++n) load_b(b[n], stage + kBAt, n, d);
      BS_UNROLL
      for (int i = 0; i < kDown; ++i) {
        BS_UNROLL
        for (int n = 0; n < kAcross; ++n) M::template multiply_add<T>(sum_[i][n], a[i], b[n / 2][n % 2 * 2], b[n / 2][n % 2 * 2 + 1]);
      }
    }
  }

  struct alignas(8) TwoFloats {
    float x[2];
  };
  BS_DEVICE static void store_two(Out* to, float x, float y) {
    if constexpr (std::is_same_v<Out, float>)
      *reinterpret_cast<TwoFloats*>(to) = {{x, y}};
    else
      *reinterpret_cast<std::uint32_t*>(to) = M::template pack<Out>(x, y);
  }

  BS_DEVICE void store() const {
    Out* const c = static_cast<Out*>(job_.c) + at_.item * job_.step_c;
    BS_UNROLL
    for (int i = 0; i < kDown; ++i) {
      BS_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int row = at_.row0 + warp_row() + i * 16 + half * 8 + lane() / 4;
        if (row >= job_.m) continue;
        Out* const to = c + static_cast<std::int64_t>(row) * job_.pitch_c;
        BS_UNROLL
        for (int n = 0; n < kAcross; ++n) {
          const int column = at_.column0 + warp_column() + n * 8 + lane() % 4 * 2;
          if (column < job_.n) store_two(to + column, sum_[i][n][half * 2] * job_.scale, sum_[i][n][half * 2 + 1] * job_.scale);
        }
      }
    }
  }

  GemmJob job_;
  GemmPlace at_;
  Tiles tiles_;
  const T *a_, *b_;
  float sum_[kDown][kAcross][4];
};

}  // namespace bench::cuda
