// SPDX-License-Identifier: Apache-2.0
// A batched product of 16-bit matrices on tensor cores by mma.sync; the body as a template over its machine (kernels/cuda/machine.cuh).
//
// A block computes 128 x kColumns of C with eight warps, 64 of K at a time: three stages of tiles in shared memory, two of them on their way
// by asynchronous copies while the third is multiplied. Tiles are swizzled pages of 64 columns (swizzle.hpp), so an operand that lies the other
// way round is transposed by the matrix load and never in memory (gemm_operand.hpp). With 64 columns: for outputs as narrow as a head. The scheme is that of
// CUTLASS' multistage sm_80 kernels ("Efficient GEMM in CUDA", its documentation); tiles and code are our own.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/gemm_operand.hpp"

namespace bench::cuda {

template <class M, class T, class Out, GemmForm kForm, int kColumns, class Tiles = EveryTile, class Finish = AsSummed, class Right = GemmRows<M, T, kForm, kColumns>>
class GemmMma {
 public:
  static constexpr int kRows = 128, kDepth = kGemmDepth, kStages = 3, kThreads = kGemmThreads;
  static constexpr int kSharedBytes = kStages * (tile_bytes(kRows, kDepth) + Right::kStageBytes);

  static BS_HOST_DEVICE int blocks(const GemmJob& job) { return job.tiles(kRows, kColumns); }

  BS_DEVICE GemmMma(const GemmJob& job, const Tiles& tiles, const Finish& finish = {}, const typename Right::Source& source = {})
      : job_(job),
        at_(job, M::block(), kRows, kColumns),
        tiles_(tiles),
        finish_(finish),
        right_(job, at_, source),
        a_(static_cast<const T*>(job.a) + at_.item * job.step_a) {}

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
  static constexpr std::uint32_t kRightAt = tile_bytes(kRows, kDepth), kStageBytes = kRightAt + Right::kStageBytes;
  static_assert(kStageBytes % kTileAlignment_bytes == 0);

  BS_DEVICE static int lane() { return M::thread() % 32; }
  BS_DEVICE static int warp_row() { return M::thread() / 32 / kWarpsAcross * (kDown * 16); }
  BS_DEVICE static int warp_column() { return M::thread() / 32 % kWarpsAcross * (kAcross * 8); }

  BS_DEVICE void fetch_step(std::uint32_t stage, int k0, int k_end) const {
    if constexpr (kForm == GemmForm::tn)
      fetch_pages<M, T, kDepth, kRows / kPageColumns>(stage, a_, job_.pitch_a, k0, k_end, at_.row0, job_.m);
    else
      fetch_pages<M, T, kRows, 1>(stage, a_, job_.pitch_a, at_.row0, job_.m, k0, k_end);
    right_.fetch_step(stage + kRightAt, k0, k_end);
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
      M::load_matrix_transposed(a, moved_by_pairs(at, warp_row() / 16 + i, kDepth) + d * kSixteenRows_bytes);
    } else {
      const std::uint32_t at = tile + swizzled(warp_row() + lane() % 16, lane() / 16, kRows);
      M::load_matrix(a, moved_by_pairs(at, d, kRows) + i * kSixteenRows_bytes);
    }
  }
  BS_DEVICE void multiply(std::uint32_t stage) {
    typename Right::Step right(stage + kRightAt, warp_column());
    BS_UNROLL
    for (int d = 0; d < kDepth / 16; ++d) {
      std::uint32_t a[kDown][4], b[kAcross / 2][4];
      BS_UNROLL
      for (int i = 0; i < kDown; ++i) load_a(a[i], stage, i, d);
      BS_UNROLL
      for (int n = 0; n < kAcross / 2; ++n) right.load(b[n], n, d);
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
          if (column < job_.n) store_two(to + column, finish_(sum_[i][n][half * 2] * job_.scale, column), finish_(sum_[i][n][half * 2 + 1] * job_.scale, column + 1));
        }
      }
    }
  }

  GemmJob job_;
  GemmPlace at_;
  Tiles tiles_;
  Finish finish_;
  Right right_;
  const T* a_;
  float sum_[kDown][kAcross][4];
};

}  // namespace bench::cuda
