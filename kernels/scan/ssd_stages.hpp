// SPDX-License-Identifier: Apache-2.0
// The stages of one chunk (64 steps of a strip of at most 64 elements) of Mamba-2's scan, over a vector type
// V of the state's type:
//   (1) find_decays   d, and the scales that take the decays out of the steps (ssd_decay.hpp)
//   (2) pack_mixers   B and C of 16 neighbouring states, all steps side by side; as they come, their rows
//                     would meet in a few sets of L1
//   (3) stage         x <- d exp(-s) x, widened
//   (4) core          h += x B, y += h C with a register tile of state, two vectors of elements by kTile
//                     states, through the steps of a block
//   (5) finish        out = exp(s) y + D x, gated by silu(z)
// The core takes 4 FLOPs an element of state, and 16 broadcasts a step for 32 multiply-adds (AVX-512). Bodies
// only: ssd_tile.cpp wraps them in one function per instruction set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/scan/ssd_decay.hpp"
#include "kernels/scan/ssd_tile.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

using F64x8 = double __attribute__((vector_size(64)));
using F64x4 = double __attribute__((vector_size(32)));
using F64x2 = double __attribute__((vector_size(16)));

template <class V>
using LaneOf = std::remove_cvref_t<decltype(V{}[0])>;
template <class V>
inline constexpr std::int64_t kLanesOf = static_cast<std::int64_t>(sizeof(V) / sizeof(LaneOf<V>));

inline constexpr std::int64_t kPanel = 16;  // states that are packed side by side: one vector of fp32

/// States of a register tile, beside two vectors of elements: 16 of 32 registers hold state with AVX-512, 8
/// of 16 below.
template <class V>
inline constexpr int kTile = sizeof(V) == 64 ? 8 : 4;

inline std::int64_t panelled(std::int64_t states) {
  return ceil_div(states, kPanel) * kPanel;
}

/// Where element i and state n of a strip lie in the packed state.
template <class V>
std::int64_t packed_index(std::int64_t i, std::int64_t n, std::int64_t states) {
  constexpr std::int64_t kPair = 2 * kLanesOf<V>;
  return i / kPair * kPair * panelled(states) + n * kPair + i % kPair;
}

/// What the core works on.
template <class S>
struct SsdBuffers {
  S* state;   // [pair of vectors][n][lanes of the pair]
  S* mixers;  // [n / kPanel][step][kPanel of B, kPanel of C]; states beyond N are zero
  S* x;       // [step][kSsdElements]
  S* y;
};

template <class V, class T>
BS_INLINE V load_lanes(const T* p, std::int64_t count = kLanesOf<V>) {
  if constexpr (std::is_same_v<T, double>) {
    V v = {};
    if (count >= kLanesOf<V>) return std::memcpy(&v, p, sizeof v), v;
    return std::memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(double)), v;
  } else {
    return simd::load_some<V>(p, count);
  }
}
template <class V, class T>
BS_INLINE void store_lanes(T* p, const V& v, std::int64_t count = kLanesOf<V>) {
  if constexpr (std::is_same_v<T, double>)
    std::memcpy(p, &v, static_cast<std::size_t>(std::min(count, kLanesOf<V>)) * sizeof(double));
  else
    simd::store_some<V>(p, v, count);
}

/// (2) V need not be as wide as a panel.
template <class V, class T>
BS_INLINE void pack_mixers(const SsdViews<T>& in, const SsdShare& share, std::int64_t t0, std::int64_t steps,
                           StateOf<T>* mixers) {
  const std::int64_t states = in.states();
  for (std::int64_t t = 0; t < steps; ++t) {
    const T* b = &in.b(share.entry, t0 + t, share.group, 0);
    const T* c = &in.c(share.entry, t0 + t, share.group, 0);
    for (std::int64_t n = 0; n < panelled(states); n += kLanesOf<V>) {
      StateOf<T>* to = mixers + (n / kPanel * kSsdSteps + t) * 2 * kPanel + n % kPanel;
      const std::int64_t count = std::max<std::int64_t>(states - n, 0);
      store_lanes<V>(to, load_lanes<V>(b + n, count));
      store_lanes<V>(to + kPanel, load_lanes<V>(c + n, count));
    }
  }
}

/// Asks for the lines of `bytes` from p on, for reading or writing; p need not be valid memory.
template <int kWrite>
BS_INLINE void prefetch(const void* p, std::int64_t bytes) {
  constexpr std::int64_t kLine = 64;
  for (std::int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const char*>(p) + i, kWrite);
}

/// (3) for the strip's elements, in vectors up to the end of the last pair. Rows are short and a long stride
/// apart, which the hardware does not foresee: while the core runs, `out` and x of the next strip come.
template <class V, class T>
BS_INLINE void stage(const SsdViews<T>& in, const SsdStrip& strip, std::int64_t t0,
                     const Decays<StateOf<T>>& decays, StateOf<T>* to) {
  const std::int64_t width = strip.elements.size();
  for (std::int64_t t = 0; t < decays.steps; ++t) {
    const T* x = &in.x(strip.entry, t0 + t, strip.head, strip.elements.begin);
    for (std::int64_t i = 0; i < width; i += kLanesOf<V>)
      store_lanes<V>(to + t * kSsdElements + i, load_lanes<V>(x + i, width - i) * decays.in_scale[t]);
    const std::int64_t bytes = width * static_cast<std::int64_t>(sizeof(T));
    prefetch<0>(x + width, bytes);
    prefetch<1>(&in.out(strip.entry, t0 + t, strip.head, strip.elements.begin), bytes);
  }
}

/// (4) for kTile states from `state` on, `pair` elements wide; x, y and mixers point to the block's first
/// step. kBefore: y takes the state of before the step (decayed), so that y lacks the step's own x B C.
template <class V, bool kBefore = false>
BS_INLINE void core(LaneOf<V> enter, std::int64_t steps, const LaneOf<V>* x, LaneOf<V>* y,
                    const LaneOf<V>* mixers, LaneOf<V>* state) {
  constexpr std::int64_t kLanes = kLanesOf<V>;
  V h0[kTile<V>], h1[kTile<V>];
#pragma GCC unroll 8
  for (int n = 0; n < kTile<V>; ++n) {
    h0[n] = load_lanes<V>(state + 2 * n * kLanes) * enter;
    h1[n] = load_lanes<V>(state + (2 * n + 1) * kLanes) * enter;
  }
  for (std::int64_t t = 0; t < steps; ++t, x += kSsdElements, y += kSsdElements, mixers += 2 * kPanel) {
    const V x0 = load_lanes<V>(x), x1 = load_lanes<V>(x + kLanes);
    V y0 = load_lanes<V>(y), y1 = load_lanes<V>(y + kLanes);
#pragma GCC unroll 8
    for (int n = 0; n < kTile<V>; ++n) {
      const LaneOf<V> b = mixers[n], c = mixers[kPanel + n];  // broadcast by the load
      if constexpr (kBefore) y0 += h0[n] * c, y1 += h1[n] * c;
      h0[n] += x0 * b;
      h1[n] += x1 * b;
      if constexpr (!kBefore) y0 += h0[n] * c, y1 += h1[n] * c;
    }
    store_lanes<V>(y, y0);
    store_lanes<V>(y + kLanes, y1);
  }
#pragma GCC unroll 8
  for (int n = 0; n < kTile<V>; ++n) {
    store_lanes<V>(state + 2 * n * kLanes, h0[n]);
    store_lanes<V>(state + (2 * n + 1) * kLanes, h1[n]);
  }
}

/// (4) for all blocks, elements and states of the chunk.
template <class V, bool kBefore = false>
BS_INLINE void run_core(const Decays<LaneOf<V>>& decays, std::int64_t width, std::int64_t states,
                        const SsdBuffers<LaneOf<V>>& buffers) {
  constexpr std::int64_t kPair = 2 * kLanesOf<V>;
  for (std::int64_t k = 0; k < decays.blocks; ++k) {
    const std::int64_t t = decays.begin[k], steps = decays.begin[k + 1] - t;
    for (std::int64_t i = 0; i < width; i += kPair)
      for (std::int64_t n = 0; n < states; n += kTile<V>)
        core<V, kBefore>(decays.enter[k], steps, buffers.x + t * kSsdElements + i,
                         buffers.y + t * kSsdElements + i,
                         buffers.mixers + (n / kPanel * kSsdSteps + t) * 2 * kPanel + n % kPanel,
                         buffers.state + i * panelled(states) + n * kPair);
  }
}

/// (5)
template <class V>
BS_INLINE V silu_lanes(const V& z) {
  if constexpr (sizeof(LaneOf<V>) == sizeof(float)) {
    return simd::silu<V>(z);
  } else {
    V gate = {};
    for (std::int64_t i = 0; i < kLanesOf<V>; ++i) gate[i] = silu<double>(z[i]);
    return gate;
  }
}
/// The derivative of that.
template <class V>
BS_INLINE V silu_slope_lanes(const V& z) {
  V slope = {};
  if constexpr (sizeof(LaneOf<V>) == sizeof(float)) {
    const V gate = simd::reciprocal<V>(simd::exp<V>(-z) + 1.0F);
    slope = gate * (z * (1.0F - gate) + 1.0F);
  } else {
    for (std::int64_t i = 0; i < kLanesOf<V>; ++i) slope[i] = silu_slope<double>(z[i]);
  }
  return slope;
}

template <class V, class T>
BS_INLINE void finish(const SsdViews<T>& in, const SsdStrip& strip, std::int64_t t0,
                      const Decays<StateOf<T>>& decays, const StateOf<T>* y) {
  const std::int64_t width = strip.elements.size();
  const StateOf<T> skip = in.skip[strip.head];
  for (std::int64_t t = 0; t < decays.steps; ++t) {
    const T* x = &in.x(strip.entry, t0 + t, strip.head, strip.elements.begin);
    T* out = &in.out(strip.entry, t0 + t, strip.head, strip.elements.begin);
    const T* z = in.gated() ? &in.z(strip.entry, t0 + t, strip.head, strip.elements.begin) : nullptr;
    for (std::int64_t i = 0; i < width; i += kLanesOf<V>) {
      V sum = load_lanes<V>(y + t * kSsdElements + i) * decays.out_scale[t] +
              load_lanes<V>(x + i, width - i) * skip;
      if (z != nullptr) sum *= silu_lanes<V>(load_lanes<V>(z + i, width - i));
      store_lanes<V>(out + i, sum, width - i);
    }
  }
}

}  // namespace bench::scan
