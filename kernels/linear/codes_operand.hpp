// SPDX-License-Identifier: Apache-2.0
// Codes as the right operand of a product on tensor cores (kernels/cuda/gemm_mma.hpp; the five names are those of gemm_operand.hpp): packets (packets.hpp) into shared memory by
// asynchronous copies, 16 bytes of it a lane and tile of 16 outputs into registers, where they become pairs of 16-bit numbers as they are multiplied.
//
// A lane's 16 bytes are its own operands, so there is nothing to swizzle, transpose or exchange. Pairs are operand a of 16 outputs as well as b of twice eight: a[0], a[2] for the
// upper eight rows of w, a[1], a[3] for the lower ones. int4 codes are exact until scale and zero point are put on, both by one fused multiply-add in the dtype: what is
// multiplied is the dequantised weight, rounded. int8 codes are multiplied as they are; their scale is Finish's.
#pragma once

#include <cstdint>

#include "kernels/cuda/gemm_operand.hpp"
#include "kernels/linear/packets.hpp"
#include "kernels/linear/unpack.hpp"

namespace bench::linear {

struct CodesSource {
  const void* packets;
  const void* scales;          // int4: with zero points, by group
  int tiles, chunks, groups;   // of packets.hpp
  int group_bits;              // log2 of the inputs that share a scale
};

template <class M, class T, int kBits, int kColumns>
class CodesOperand {
  static constexpr int kInputs = packet_inputs(kBits), kEach = cuda::kGemmDepth / kInputs;  // packets of a tile and step
  static constexpr int kTiles = kColumns / kPacketRows, kHalves = cuda::kGemmDepth / 32;    // a step's 32 inputs may have a scale of their own
  static constexpr int kCodeBytes = kTiles * kEach * kPacketBytes, kScaleBytes = kBits == 4 ? 64 : 0;  // of a tile: 8 x 2 x (scale, zero point)

 public:
  using Source = CodesSource;
  static constexpr int kStageBytes = (kCodeBytes + kTiles * kHalves * kScaleBytes + cuda::kTileAlignment_bytes - 1) / cuda::kTileAlignment_bytes * cuda::kTileAlignment_bytes;

  BS_DEVICE CodesOperand(const cuda::GemmJob&, const cuda::GemmPlace& at, const Source& source) : from_(source), tile0_(at.column0 / kPacketRows) {}

  BS_DEVICE void fetch_step(std::uint32_t stage, int k0, int) const {
    constexpr int kLanes = 32 * kEach, kPieces = kTiles * kLanes;  // of 16 bytes
    BS_UNROLL
    for (int round = 0; round < (kPieces + cuda::kGemmThreads - 1) / cuda::kGemmThreads; ++round) {
      const int i = round * cuda::kGemmThreads + M::thread();
      if (i >= kPieces) continue;
      const int tile = tile0_ + i / kLanes, chunk = k0 / kInputs + i / 32 % kEach;
      const bool there = tile < from_.tiles && chunk < from_.chunks;
      const std::int64_t at = (static_cast<std::int64_t>(tile) * from_.chunks + chunk) * kPacketBytes + i % 32 * 16;
      copy(stage + i * 16, from_.packets, at, there);
    }
    if constexpr (kBits == 4) fetch_scales(stage + kCodeBytes, k0);
  }

  class Step {
   public:
    BS_DEVICE Step(std::uint32_t stage, int column) : scales_at_(stage + kCodeBytes + column / kPacketRows * kHalves * kScaleBytes + M::thread() % 32 / 4 * 8) {
      const int lane = M::thread() % 32, tile = column / kPacketRows;
      BS_UNROLL
      for (int n = 0; n < kWarpTiles; ++n) {
        BS_UNROLL
        for (int i = 0; i < kEach; ++i) codes_[n][i] = M::load_words(stage + (((tile + n) * kEach + i) * 32 + lane) * 16);
      }
    }
    /// For d in ascending order: scales are fetched as each half begins, as there are no registers for all.
    BS_DEVICE void load(std::uint32_t (&b)[4], int n, int d) {
      constexpr int kSteps = kInputs / 16;  // of a packet
      if constexpr (kBits == 4) {
        if (d % 2 == 0) fetch_scales(n, d / 2);
      }
      std::uint32_t pairs[4];
      unpack<M, T, kBits>(pairs, codes_[n][d / kSteps].word, d % kSteps);
      BS_UNROLL
      for (int r = 0; r < 4; ++r) {
        if constexpr (kBits == 4) pairs[r] = dequantised(pairs[r], scales_[n][r % 2]);
        b[r % 2 * 2 + r / 2] = pairs[r];
      }
    }

   private:
    static constexpr int kWarpTiles = 2;  // a warp has 32 columns
    BS_DEVICE void fetch_scales(int n, int half) {
      BS_UNROLL
      for (int w = 0; w < 2; ++w) scales_[n][w] = M::load_word(scales_at_ + (n * kHalves + half) * kScaleBytes + w * 4);
    }
    BS_DEVICE static std::uint32_t dequantised(std::uint32_t codes, std::uint32_t scale_and_zero) {
      const std::uint32_t scale = (scale_and_zero & 0xffffU) | scale_and_zero << 16, zero = (scale_and_zero & 0xffff0000U) | scale_and_zero >> 16;
      return M::template multiply_add_pairs<T>(codes, scale, zero);
    }

    typename M::Words codes_[kWarpTiles][kEach];
    std::uint32_t scales_[kWarpTiles][2];  // int4: of the eight upper rows and the lower ones
    std::uint32_t scales_at_;
  };

 private:
  BS_DEVICE static void copy(std::uint32_t to, const void* from, std::int64_t at, bool there) {
    M::copy16(to, static_cast<const std::uint8_t*>(from) + (there ? at : 0), there);
  }
  /// Of a tile and half step 64 bytes, four threads.
  BS_DEVICE void fetch_scales(std::uint32_t to, int k0) const {
    const int i = M::thread(), tile = tile0_ + i / (4 * kHalves), half = i / 4 % kHalves;
    if (i >= kTiles * kHalves * 4) return;
    const int group = (k0 + half * 32) >> from_.group_bits;
    const bool there = tile < from_.tiles && group < from_.groups;
    copy(to + i * 16, from_.scales, (static_cast<std::int64_t>(tile) * from_.groups + group) * kScaleBytes + i % 4 * 16, there);
  }

  Source from_;
  int tile0_;
};

}  // namespace bench::linear
