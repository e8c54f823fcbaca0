// SPDX-License-Identifier: Apache-2.0
// What a launch of Hopper's backward kernel (flash_bwd_sm90.hpp) is told, and what of it lies where in shared memory, its barriers too.
#pragma once

#include <cstdint>

#include "kernels/attention/bwd_job.hpp"
#include "kernels/cuda/swizzle.hpp"

namespace bench::attention {

/// The tensors as the copy engine knows them: q and dout (B H, L, D) in boxes of kRows rows, k and v (B Hkv, Lk, D) in boxes of kKeys, 64 columns each.
template <class M>
struct FlashBwdSm90Job : BwdJob {
  typename M::TensorMap q_map, k_map, v_map, dout_map;
};

/// K, V; kStages times Q, dO; dS^T twice; dQ; kStages times the rows' numbers; barriers of 8 bytes.
template <class M, int kDim, int kRows, int kKeys, int kStages, int kConsumerWarps>
struct BwdSm90Places {
  static constexpr int kRowBytes = cuda::tile_bytes(kRows, kDim), kKeyBytes = cuda::tile_bytes(kKeys, kDim), kScoreBytes = cuda::tile_bytes(kKeys, kRows);
  static constexpr int kWarpBytes = kRows * kDim * static_cast<int>(sizeof(float)) / kConsumerWarps;  // of dQ
  static constexpr int kNumberBytes = kRows * static_cast<int>(sizeof(RowNumbers));
  static constexpr int kDsAt = 2 * kKeyBytes + 2 * kStages * kRowBytes, kDqAt = kDsAt + 2 * kScoreBytes, kNumbersAt = kDqAt + kConsumerWarps * kWarpBytes;
  static constexpr int kBarriersAt = kNumbersAt + kStages * kNumberBytes, kBytes = kBarriersAt + 128;
  enum Tensor : int { kQ, kDout };

  std::uint32_t shared;

  BS_DEVICE std::uint32_t k() const { return shared; }
  BS_DEVICE std::uint32_t v() const { return shared + kKeyBytes; }
  BS_DEVICE std::uint32_t tile(Tensor tensor, int stage) const { return shared + 2 * kKeyBytes + (stage * 2 + tensor) * kRowBytes; }
  BS_DEVICE std::uint32_t ds(int round) const { return shared + kDsAt + round % 2 * kScoreBytes; }
  BS_DEVICE std::uint32_t dq(int warp) const { return shared + kDqAt + warp * kWarpBytes; }
  BS_DEVICE std::uint32_t numbers(int stage) const { return shared + kNumbersAt + stage * kNumberBytes; }
  BS_DEVICE std::uint32_t keys_here() const { return barrier(0); }
  BS_DEVICE std::uint32_t full(Tensor tensor, int stage) const { return barrier(1 + stage * 2 + tensor); }
  BS_DEVICE std::uint32_t empty(Tensor tensor, int stage) const { return barrier(1 + (kStages + stage) * 2 + tensor); }
  /// A word that nothing else uses.
  BS_DEVICE std::uint32_t ticket() const { return barrier(15); }

  BS_DEVICE void start_barriers() const {
    M::start_barrier(keys_here(), 1);
    for (int stage = 0; stage < kStages; ++stage)
      for (const Tensor tensor : {kQ, kDout}) {
        M::start_barrier(full(tensor, stage), 1);
        M::start_barrier(empty(tensor, stage), kConsumerWarps);
      }
    M::publish_barriers();
  }

 private:
  BS_DEVICE std::uint32_t barrier(int i) const { return shared + kBarriersAt + i * 8; }
};

}  // namespace bench::attention
