// SPDX-License-Identifier: Apache-2.0
// The three stages of one tile (16 steps of a strip of at most 1024 channels) of the selective scan, over a
// vector type V:
//   (1) stage   widen the inputs; d = softplus, x = d u into L2 buffers
//   (2) core    per 16 channels, N states in registers run through the tile's steps; y = sum_n C[n] h[n]
//   (3) finish  out = (y + D u) silu(z)
// The core takes one multiply for d A, nine operations for the exponential and three more per state; softplus
// and silu are paid once a step, not once a state. Bodies only: selective_tile.cpp wraps them in one function
// per instruction set.
#pragma once

#include <cstdint>

#include "kernels/scan/selective_tile.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

inline constexpr float kLog2e = 0x1.715476p0F;
inline constexpr std::int64_t kTileSteps =
    16;  // amortises loading and storing the states; the buffers below stay in L1
inline constexpr std::int64_t kTileChannels = 1024;  // 64 packs of lanes

/// d, x and y lie pack by pack, [pack][step][lane]: the core finds a pack's steps in neighbouring lines, where rows of the
/// strip would meet in few sets of L1. 192 KB, in L2.
struct Tile {
  std::int64_t steps = 0;
  alignas(64) float d[kTileSteps * kTileChannels];
  alignas(64) float x[kTileSteps * kTileChannels];
  alignas(64) float y[kTileSteps * kTileChannels];
  alignas(64) float b[kTileSteps * kMaxStates];  // steps x N
  alignas(64) float c[kTileSteps * kMaxStates];
};

/// Constants and states of a strip, 16 channels side by side: [pack][n][lane]. Unused lanes are zero.
struct Packed {
  alignas(64) float a[kStripFloats];  // A log2(e), for exp2
  alignas(64) float h[kStripFloats];
  alignas(64) float skip[kTileChannels];
  alignas(64) float bias[kTileChannels];
  alignas(64) float delta_sum[kTileChannels];
};

struct Job {
  const SelectiveShare& share;
  const Strip& strip;
  Range rows;
  float* h;          // (C, N)
  float* delta_sum;  // (C), or null: write out instead
  std::int64_t packs() const { return ceil_div(strip.channels.size(), kLanes); }
};

inline std::int64_t packed_index(std::int64_t channel, std::int64_t n, std::int64_t states) {
  return (channel / kLanes * states + n) * kLanes + channel % kLanes;
}

inline std::int64_t tile_index(std::int64_t t, std::int64_t channel) {
  return (channel / kLanes * kTileSteps + t) * kLanes + channel % kLanes;
}

/// (1) for the steps t0 .. t0 + tile.steps - 1.
template <class V, class T, bool kOut>
BS_INLINE void stage(const Job& job, std::int64_t t0, Packed& packed, Tile& tile) {
  const std::int64_t width = job.strip.channels.size(), states = job.share.states;
  const std::int64_t row0 = job.strip.entry * job.share.rows + t0;
  const auto* u =
      reinterpret_cast<const T*>(job.share.u) + row0 * job.share.channels + job.strip.channels.begin;
  const auto* delta =
      reinterpret_cast<const T*>(job.share.delta) + row0 * job.share.channels + job.strip.channels.begin;
  for (std::int64_t t = 0; t < tile.steps; ++t) {
    for (std::int64_t c = 0; c < width; c += simd::kWidth<V>) {
      const std::int64_t at = tile_index(t, c), from = t * job.share.channels + c;
      const V input = simd::load_some<V>(u + from, width - c);
      const V d =
          simd::softplus<V>(simd::load_some<V>(delta + from, width - c) + simd::load<V>(packed.bias + c));
      simd::store<V>(tile.d + at, d);
      simd::store<V>(tile.x + at, d * input);
    }
  }
  const auto* b =
      reinterpret_cast<const T*>(job.share.b) + (row0 * job.share.groups + job.strip.group) * states;
  const auto* c =
      reinterpret_cast<const T*>(job.share.c) + (row0 * job.share.groups + job.strip.group) * states;
  for (std::int64_t t = 0; t < tile.steps; ++t) {
    for (std::int64_t n = 0; n < states; n += simd::kWidth<V>) {
      const std::int64_t from = t * job.share.groups * states + n;
      simd::store_some<V>(tile.b + t * states + n, simd::load_some<V>(b + from, states - n), states - n);
      if constexpr (kOut)
        simd::store_some<V>(tile.c + t * states + n, simd::load_some<V>(c + from, states - n), states - n);
    }
  }
}

/// The d of a tile, added up before they meet the long sum, whose error then grows with the tiles, not the
/// steps.
template <class V>
BS_INLINE void sum_delta(const Tile& tile, std::int64_t channels, float* delta_sum) {
  for (std::int64_t c = 0; c < channels; c += simd::kWidth<V>) {
    V sum = {};
    for (std::int64_t t = 0; t < tile.steps; ++t) sum += simd::load<V>(tile.d + tile_index(t, c));
    simd::store<V>(delta_sum + c, simd::load<V>(delta_sum + c) + sum);
  }
}

/// True when no exponent of these lanes leaves exp2's range during the tile: then the core saves the clamp,
/// two operations of fifteen.
template <class V>
BS_INLINE bool exponents_fit(const float* a, std::int64_t states, const float* d, std::int64_t steps) {
  V steepest = {}, longest = {};
  for (std::int64_t n = 0; n < states; ++n) {
    const V x = simd::load<V>(a + n * kLanes);
    steepest = x < steepest ? x : steepest;
  }
  for (std::int64_t t = 0; t < steps; ++t) {
    const V x = simd::load<V>(d + t * kLanes);
    longest = x > longest ? x : longest;
  }
  float lanes[simd::kWidth<V>];
  simd::store<V>(lanes, steepest * longest);
  bool fit = true;
  for (const float lane : lanes) fit = fit && lane >= -126.0F;
  return fit;
}

/// Pointers to the first of V's lanes: a, h [n][16]; d, x, y [step][16]; b, c [step][N].
struct Lanes {
  const float* a;
  float* h;
  const float *d, *x;
  float* y;
  const float *b, *c;
  std::int64_t steps, states;
};

/// (2) for kCount neighbouring states. Sums over n in two chains, as 16 dependent additions would take longer
/// than the rest of a step.
template <class V, int kCount, bool kOut, bool kClamp>
BS_INLINE void core(const Lanes& in, std::int64_t n0) {
  V h[kCount];
#pragma GCC unroll 16
  for (int n = 0; n < kCount; ++n) h[n] = simd::load<V>(in.h + (n0 + n) * kLanes);
  for (std::int64_t t = 0; t < in.steps; ++t) {
    const V d = simd::load<V>(in.d + t * kLanes), x = simd::load<V>(in.x + t * kLanes);
    const float* b = in.b + t * in.states + n0;
    const float* c = in.c + t * in.states + n0;
    V y[2] = {};
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) {
      const V exponent = d * simd::load<V>(in.a + (n0 + n) * kLanes);
      const V decay = kClamp ? simd::exp2<V>(exponent) : simd::exp2_in_range<V>(exponent);
      h[n] = decay * h[n] + x * b[n];
      if constexpr (kOut) y[n % 2] += h[n] * c[n];
    }
    if constexpr (kOut) {
      float* sum = in.y + t * kLanes;
      V total = y[0] + y[1];
      if (n0 > 0) total += simd::load<V>(sum);
      simd::store<V>(sum, total);
    }
  }
#pragma GCC unroll 16
  for (int n = 0; n < kCount; ++n) simd::store<V>(in.h + (n0 + n) * kLanes, h[n]);
}

/// All states: as many at a time as half the registers hold, then the rest in fours and ones.
template <class V, bool kOut, bool kClamp>
BS_INLINE void all_states(const Lanes& in) {
  constexpr int kBlock =
      simd::kWidth<V>;  // 16 of 32 registers with AVX-512, 8 of 16 with AVX, 4 of 16 with SSE
  std::int64_t n = 0;
  for (; n + kBlock <= in.states; n += kBlock) core<V, kBlock, kOut, kClamp>(in, n);
  if constexpr (kBlock > 4)
    for (; n + 4 <= in.states; n += 4) core<V, 4, kOut, kClamp>(in, n);
  for (; n < in.states; ++n) core<V, 1, kOut, kClamp>(in, n);
}

template <class V, bool kOut>
BS_INLINE void run_core(const Job& job, Packed& packed, Tile& tile) {
  const std::int64_t states = job.share.states;
  for (std::int64_t c = 0; c < job.packs() * kLanes; c += simd::kWidth<V>) {
    const std::int64_t at = packed_index(c, 0, states), first = tile_index(0, c);
    const Lanes lanes{packed.a + at, packed.h + at, tile.d + first, tile.x + first, tile.y + first,
                      tile.b,        tile.c,        tile.steps, states};
    if (exponents_fit<V>(lanes.a, states, lanes.d, lanes.steps))
      all_states<V, kOut, false>(lanes);
    else
      all_states<V, kOut, true>(lanes);
  }
}

/// (3)
template <class V, class T>
BS_INLINE void finish(const Job& job, std::int64_t t0, const Packed& packed, const Tile& tile) {
  const std::int64_t width = job.strip.channels.size();
  const std::int64_t first =
      (job.strip.entry * job.share.rows + t0) * job.share.channels + job.strip.channels.begin;
  const auto* u = reinterpret_cast<const T*>(job.share.u) + first;
  const auto* z = reinterpret_cast<const T*>(job.share.z) + first;
  auto* out = reinterpret_cast<T*>(job.share.out) + first;
  for (std::int64_t t = 0; t < tile.steps; ++t) {
    for (std::int64_t c = 0; c < width; c += simd::kWidth<V>) {
      const std::int64_t at = t * job.share.channels + c;
      const V gate = simd::silu<V>(simd::load_some<V>(z + at, width - c));
      const V y = simd::load<V>(tile.y + tile_index(t, c)) +
                  simd::load_some<V>(u + at, width - c) * simd::load<V>(packed.skip + c);
      simd::store_some<V>(out + at, y * gate, width - c);
    }
  }
}

}  // namespace bench::scan
