// SPDX-License-Identifier: Apache-2.0
// The decays of one chunk of Mamba-2's scan, cut into blocks inside which they can be factored.
//
// Let s_t be the sum of d A over the steps of a block after its first, up to t, and g_t = exp(-s_t) times the
// state at t. Then g_t = g_{t-1} + (exp(-s_t) d_t x_t) B_t^T and out_t = exp(s_t) g_t C_t: a step costs two
// multiply-adds an element of state and no decay. What came before the block is multiplied once, by `enter`:
// the decay of the block's first step times exp(s) of the last block's end. The first step's own decay is in
// no sum, so that one long step, however long, makes no large number.
//
// A block ends before |s| passes kSpan, so that exp(-s) stays in range. Sums are made in a wider type, and
// what rounding them to the state's type leaves over (8 eps of a decay) goes into the scales as a factor.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "kernels/scan/ssd_step.hpp"
#include "kernels/scan/ssd_tile.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

inline constexpr double kSpan = 32.0;

/// The `open` of a state of which nothing is left, as before the first step of a packed sequence: `enter` is 0 then.
inline constexpr double kForgotten = -std::numeric_limits<double>::infinity();

template <class S>
struct Decays {
  std::int64_t steps = 0, blocks = 0;
  std::int64_t begin[kSsdSteps + 1];   // block k is the steps begin[k] .. begin[k + 1] - 1
  S enter[kSsdSteps];                  // per block
  alignas(64) S d[kSsdSteps];          // as dt makes them: ssd_step.hpp
  alignas(64) S sum[kSsdSteps];        // s
  alignas(64) S rest[kSsdSteps];       // s before rounding - sum
  alignas(64) S in_scale[kSsdSteps];   // d exp(-s), for x
  alignas(64) S out_scale[kSsdSteps];  // exp(s), for y
};

/// The steps that dt + bias make, `steps` of them, `stride` apart, into d; a vector at a time, whose end may lie
/// beyond the steps: those are computed and not used.
template <class V, class T, class S = StateOf<T>>
BS_INLINE void find_steps(const T* dt, std::int64_t stride, S bias, const StepLimits<S>& limits, std::int64_t steps, S* d) {
  for (std::int64_t t = 0; t < steps; ++t) d[t] = static_cast<S>(load(dt[t * stride])) + bias;
  if constexpr (sizeof(S) == sizeof(float)) {
    const V low = V{} + limits.low, high = V{} + limits.high;
    for (std::int64_t t = 0; t < steps; t += simd::kWidth<V>) {
      const V step = simd::softplus<V>(simd::load<V>(d + t));
      simd::store<V>(d + t, step < low ? low : step > high ? high : step);
    }
  } else {
    for (std::int64_t t = 0; t < steps; ++t) d[t] = limits.step(d[t]);
  }
}

/// exp(-s) and exp(s) into the two scales.
template <class V, class S>
BS_INLINE void scale_sums(Decays<S>& decays) {
  if constexpr (sizeof(S) == sizeof(float)) {
    for (std::int64_t t = 0; t < decays.steps; t += simd::kWidth<V>) {
      const V sum = simd::load<V>(decays.sum + t), rest = simd::load<V>(decays.rest + t);
      simd::store<V>(decays.out_scale + t, simd::exp<V>(sum) * (rest + 1.0F));
      simd::store<V>(decays.in_scale + t, simd::exp<V>(-sum) * (1.0F - rest));
    }
  } else {
    for (std::int64_t t = 0; t < decays.steps; ++t) {
      decays.out_scale[t] = std::exp(decays.sum[t]) * (S{1} + decays.rest[t]);
      decays.in_scale[t] = std::exp(-decays.sum[t]) * (S{1} - decays.rest[t]);
    }
  }
}

/// Cuts the chunk into blocks. `open` is the last block's s at its end, which the state still has to be
/// multiplied with (0 at the start); the same for this chunk on return.
template <class S>
BS_INLINE void cut_blocks(Decays<S>& decays, S a, double& open) {
  using Wide = std::conditional_t<std::is_same_v<S, double>, long double, double>;
  decays.blocks = 0;
  Wide sum = static_cast<Wide>(open);
  for (std::int64_t t = 0; t < decays.steps; ++t) {
    const Wide step = static_cast<Wide>(decays.d[t]) * static_cast<Wide>(a);
    if (t == 0 || std::abs(sum + step) > kSpan) {
      decays.begin[decays.blocks] = t;
      decays.enter[decays.blocks++] = static_cast<S>(std::exp(sum + step));
      sum = Wide{0};
    } else {
      sum += step;
    }
    decays.sum[t] = static_cast<S>(sum);
    decays.rest[t] = static_cast<S>(sum - static_cast<Wide>(decays.sum[t]));
  }
  decays.begin[decays.blocks] = decays.steps;
  open = static_cast<double>(sum);
}

/// All of the above for decays.steps steps of one head.
template <class V, class T, class S = StateOf<T>>
BS_INLINE void find_decays(const T* dt, std::int64_t stride, S bias, const StepLimits<S>& limits, S a, double& open,
                           Decays<S>& decays) {
  find_steps<V>(dt, stride, bias, limits, decays.steps, decays.d);
  cut_blocks(decays, a, open);
  scale_sums<V>(decays);
  for (std::int64_t t = 0; t < decays.steps; ++t) decays.in_scale[t] *= decays.d[t];
}

}  // namespace bench::scan
