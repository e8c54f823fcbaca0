// SPDX-License-Identifier: Apache-2.0
// The decays of one chunk of Mamba-2's scan, cut into blocks inside which they can be factored.
//
// Let s_t be the sum of d A over the steps of a block after its first, up to t, and g_t = exp(-s_t) times the
// state at t. Then g_t = g_{t-1} + (exp(-s_t) d_t x_t) B_t^T and out_t = exp(s_t) g_t C_t: a step costs two
// multiply-adds an element of state and no decay. What came before the block is multiplied once, by `enter`:
// the decay of the block's first step times exp(s) of the last block's end. The first step's own decay is in
// no sum, so that one long step, however long, makes no large number.
//
// A block ends before |s| passes kSpan: exp(-s) stays in range, and rounding s to fp32, by 2^-20 at most,
// costs a decay some eight eps. Sums are made in fp64 from fp32 steps.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scan/selective.hpp"
#include "kernels/scan/ssd_tile.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

inline constexpr double kSpan = 32.0;

template <class S>
struct Decays {
  std::int64_t steps = 0, blocks = 0;
  std::int64_t begin[kSsdSteps + 1];   // block k is the steps begin[k] .. begin[k + 1] - 1
  S enter[kSsdSteps];                  // per block
  alignas(64) S d[kSsdSteps];          // softplus(dt + dt_bias)
  alignas(64) S sum[kSsdSteps];        // s
  alignas(64) S in_scale[kSsdSteps];   // d exp(-s), for x
  alignas(64) S out_scale[kSsdSteps];  // exp(s), for y
};

/// softplus in place and the two scales, a vector of steps at a time; `steps` may end inside a vector, whose
/// other lanes are then computed and not used.
template <class V, class S>
BS_INLINE void softplus_steps(Decays<S>& decays) {
  if constexpr (sizeof(S) == sizeof(float)) {
    for (std::int64_t t = 0; t < decays.steps; t += simd::kWidth<V>)
      simd::store<V>(decays.d + t, simd::softplus<V>(simd::load<V>(decays.d + t)));
  } else {
    for (std::int64_t t = 0; t < decays.steps; ++t) decays.d[t] = softplus<S>(decays.d[t]);
  }
}
template <class V, class S>
BS_INLINE void scale_steps(Decays<S>& decays) {
  if constexpr (sizeof(S) == sizeof(float)) {
    for (std::int64_t t = 0; t < decays.steps; t += simd::kWidth<V>) {
      const V sum = simd::load<V>(decays.sum + t);
      simd::store<V>(decays.out_scale + t, simd::exp<V>(sum));
      simd::store<V>(decays.in_scale + t, simd::load<V>(decays.d + t) * simd::exp<V>(-sum));
    }
  } else {
    for (std::int64_t t = 0; t < decays.steps; ++t) {
      decays.out_scale[t] = std::exp(decays.sum[t]);
      decays.in_scale[t] = decays.d[t] * std::exp(-decays.sum[t]);
    }
  }
}

/// Cuts the chunk into blocks. `open` is the last block's s at its end, which the state still has to be
/// multiplied with (0 at the start); the same for this chunk on return.
template <class S>
BS_INLINE void cut_blocks(Decays<S>& decays, S a, double& open) {
  decays.blocks = 0;
  double sum = open;
  for (std::int64_t t = 0; t < decays.steps; ++t) {
    const double step = static_cast<double>(decays.d[t]) * static_cast<double>(a);
    if (t == 0 || std::abs(sum + step) > kSpan) {
      decays.begin[decays.blocks] = t;
      decays.enter[decays.blocks++] = static_cast<S>(std::exp(sum + step));
      sum = 0.0;
    } else {
      sum += step;
    }
    decays.sum[t] = static_cast<S>(sum);
  }
  decays.begin[decays.blocks] = decays.steps;
  open = sum;
}

/// All of the above for the steps t0 .. t0 + decays.steps - 1 of one head.
template <class V, class T>
BS_INLINE void find_decays(const SsdViews<T>& in, const SsdStrip& strip, std::int64_t t0, double& open,
                           Decays<StateOf<T>>& decays) {
  const T* dt = &in.dt(strip.entry, t0, strip.head);
  for (std::int64_t t = 0; t < decays.steps; ++t)
    decays.d[t] = static_cast<StateOf<T>>(load(dt[t * in.heads()])) + in.bias[strip.head];
  softplus_steps<V>(decays);
  cut_blocks(decays, in.a[strip.head], open);
  scale_steps<V>(decays);
}

}  // namespace bench::scan
