// SPDX-License-Identifier: Apache-2.0
// The output of half a chunk's steps by one warpgroup on Hopper (wgmma, m64n64k16), as ssd_rows.hpp has it by one warp.
//
// With S_i the sum of the log decays: Y = exp(S_i) C h^T of the state before the chunk, then for the half of the rows themselves and those before it
// C B^T, exp(S_i - S_j) d_j upon it in registers (SsdWeights), and that, rounded to T and still in registers, times x. While one half's weights are multiplied by
// x the next half's C B^T is under way and weighed.
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_descriptor.hpp"
#include "kernels/cuda/warp_product.hpp"
#include "kernels/scan/ssd_rows.hpp"
#include "kernels/scan/ssd_sm90_places.hpp"

namespace bench::scan {

/// SsdTiles' c is the half's here (kSm90Half x kStates); b, x and h are the chunk's.
template <class M, class T, int kStates>
class SsdRowsSm90 {
 public:
  BS_DEVICE SsdRowsSm90(const SsdTiles& tiles, const SsdScales<kSm90Steps>& scales, int half)
      : tiles_(tiles), scales_(scales), half_(half), sixteen_(half * kSixteens + M::of_warp(M::thread() % 128 / 32)), weights_(scales, sixteen_) {}

  BS_DEVICE void run() {
    start(y_, tiles_.h, kSm90Elements, 0);
    start_pairs(half_);
    M::template wait_products<1>();
    M::pin(y_);
    enter();
    M::template wait_products<0>();
    M::pin(pairs_);
    weigh<true>(half_);
    pack();
    BS_NO_UNROLL
    for (int before = half_ - 1; before >= 0; --before) {
      start_pairs(before);
      start_output(before + 1);
      M::template wait_products<1>();
      M::pin(pairs_);
      weigh<false>(before);
      M::template wait_products<0>();
      M::pin(y_);
      pack();
    }
    start_output(0);
    M::template wait_products<0>();
    M::pin(y_);
  }

  /// Calls f(step of the chunk, element, y, y of the next element) for what this lane has.
  template <class F>
  BS_DEVICE void for_each_pair(F&& f) const {
    const int element0 = M::fresh(M::thread() % 4 * 2);
    BS_UNROLL
    for (int i = 0; i < kCount; i += 2) f(weights_.step(i % 4 / 2), i / 4 * 8 + element0, y_[i], y_[i + 1]);
  }

 private:
  static constexpr int kSixteens = kSm90Half / kSixteen, kCount = 32;  // accumulators of 64 x 64 a thread

  /// sums = C right^T over the states, of 64 of the right tile's `rows` rows.
  BS_DEVICE void start(float (&sums)[kCount], std::uint32_t right, int rows, int row) const {
    M::pin(sums);
    M::product_fence();
    BS_UNROLL
    for (int k = 0; k < kStates / 16; ++k)
      M::template product<T>(sums, cuda::columns_descriptor(tiles_.c, kSm90Half, 0, k), cuda::columns_descriptor(right, rows, row, k), k > 0);
    M::commit_products();
  }
  BS_DEVICE void start_pairs(int half) { start(pairs_, tiles_.b, kSm90Steps, half * kSm90Half); }

  /// y += weights x, over that half's steps.
  BS_DEVICE void start_output(int half) {
    M::pin(y_);
    M::product_fence();
    BS_UNROLL
    for (int k = 0; k < kSixteens; ++k) M::template product<T>(y_, packed_[k], cuda::rows_descriptor(tiles_.x, kSm90Steps, half * kSixteens + k));
    M::commit_products();
  }

  BS_DEVICE void enter() {
    const float left[2] = {scales_.enter(weights_.step(0)), scales_.enter(weights_.step(1))};
    BS_UNROLL
    for (int i = 0; i < kCount; ++i) y_[i] = left[i % 4 / 2] == 0.0F ? 0.0F : y_[i] * left[i % 4 / 2];
  }

  /// From that half's last sixteen to its first. kDiagonal: the rows' own half, of which what lies behind the warp's sixteen does not count.
  template <bool kDiagonal>
  BS_DEVICE void weigh(int half) {
    BS_UNROLL
    for (int n = kSixteens - 1; n >= 0; --n) {
      const int other = half * kSixteens + n;
      float(&low)[4] = cuda::eight(pairs_, 2 * n), (&high)[4] = cuda::eight(pairs_, 2 * n + 1);
      if (kDiagonal && other > sixteen_) {
        BS_UNROLL
        for (int i = 0; i < 4; ++i) low[i] = high[i] = 0.0F;
      } else if (kDiagonal && other == sixteen_) {
        weights_.diagonal(other, low, high);
      } else {
        weights_.before(other, low, high);
      }
    }
  }

  BS_DEVICE void pack() {
    BS_UNROLL
    for (int i = 0; i < kCount; i += 2) packed_[i / 8][i / 2 % 4] = M::template pack<T>(pairs_[i], pairs_[i + 1]);
  }

  SsdTiles tiles_;
  SsdScales<kSm90Steps> scales_;
  int half_, sixteen_;
  SsdWeights<M, kSm90Steps> weights_;
  float y_[kCount], pairs_[kCount];
  std::uint32_t packed_[kSixteens][4];
};

}  // namespace bench::scan
