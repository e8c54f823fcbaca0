// SPDX-License-Identifier: Apache-2.0
// One block's work of a hop of distributed attention on tensor cores: flash_mma's body on rows whose softmax state (maximum, sum, unnormalised output, all
// fp32) comes from the hop before and goes to the next one. The body only, as in flash_mma.hpp.
//
// A thread keeps what it held in registers, so nothing is rounded, merged or exchanged between hops: scores of all hops go through one online softmax
// (Liu, Zaharia, Abbeel 2023 carry numerator, denominator and maximum likewise). State: D + 8 floats a row, read and written once a hop by rows that see
// some key of it.
#pragma once

#include "kernels/attention/flash_mma.hpp"
#include "kernels/attention/hop_job.hpp"

namespace bench::attention {

template <class M, class T, int kDim, int kRows, int kKeys>
class FlashHop : public FlashMma<M, T, kDim, kRows, kKeys> {
  using Whole = FlashMma<M, T, kDim, kRows, kKeys>;
  using Whole::at_, Whole::rows_, Whole::kTiles;

 public:
  using Job = HopJob;
  using Whole::blocks, Whole::kThreads;

  static std::int64_t state_floats(const DeviceJob& job) { return static_cast<std::int64_t>(blocks(job)) * kThreads * kFours * 4; }

  BS_DEVICE explicit FlashHop(const HopJob& job)
      : Whole(job), state_(reinterpret_cast<Four*>(job.state) + static_cast<std::int64_t>(M::block()) * kFours * kThreads + M::thread()), first_(job.first), last_(job.last) {}

  BS_DEVICE void run() {
    const KeyBlocks keys(at_.mask, at_.row0, kRows, kKeys);
    const bool sees = keys.end() > keys.begin();
    if (!sees && !first_ && !last_) return;
    this->clear();
    if (!first_) each<false>();
    if (sees) this->attend(keys);
    if (last_)
      this->finish();
    else
      each<true>();
  }

 private:
  struct alignas(16) Four {
    float x[4];
  };
  static constexpr int kFours = kTiles * (kDim / 8 + 1);  // of a thread; neighbours' lie beside each other

  /// Moves the state of this thread's rows, from memory or (kStore) to it.
  template <bool kStore>
  BS_DEVICE void each() {
    BS_UNROLL
    for (int tile = 0; tile < kTiles; ++tile) {
      Four* const of_tile = state_ + tile * (kDim / 8 + 1) * kThreads;
      move<kStore>(of_tile[0], rows_.most[tile][0], rows_.most[tile][1], rows_.sum[tile][0], rows_.sum[tile][1]);
      BS_UNROLL
      for (int i = 0; i < kDim / 8; ++i)
        move<kStore>(of_tile[(i + 1) * kThreads], rows_.out[tile][4 * i], rows_.out[tile][4 * i + 1], rows_.out[tile][4 * i + 2], rows_.out[tile][4 * i + 3]);
    }
  }
  template <bool kStore>
  BS_DEVICE static void move(Four& memory, float& a, float& b, float& c, float& d) {
    if constexpr (kStore) {
      memory = {a, b, c, d};
    } else {
      const Four four = memory;
      a = four.x[0], b = four.x[1], c = four.x[2], d = four.x[3];
    }
  }

  Four* state_;
  bool first_, last_;
};

}  // namespace bench::attention
