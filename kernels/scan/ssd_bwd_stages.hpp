// SPDX-License-Identifier: Apache-2.0
// What the two sweeps of ssd_bwd_tile.hpp are made of, over a vector type V: rows of tensors brought into the
// layouts of the core, in the order of the sweep and scaled, and what is done with the core's results.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/scan/ssd_bwd_tile.hpp"
#include "kernels/scan/ssd_decay.hpp"
#include "kernels/scan/ssd_stages.hpp"

namespace bench::scan {

/// Rows of a tensor in the order in which a sweep takes its steps.
template <class T>
struct Rows {
  T* first = nullptr;
  std::int64_t stride = 0;  // negative: backwards
  T* at(std::int64_t step) const { return first + step * stride; }
};

/// The same rows, last first.
template <class T>
BS_INLINE Rows<T> backwards(const Rows<T>& rows, std::int64_t steps) {
  return {rows.at(steps - 1), -rows.stride};
}

inline std::int64_t strips_of(std::int64_t lanes) {
  return ceil_div(lanes, kSsdElements);
}

/// A thread's scratch.
template <class S>
struct SsdBackScratch {
  S* over_n;   // panels of C, B
  S* over_i;   // panels of x and dout
  S* lanes_n;  // [strip][step][kSsdElements] of B or C; zero beyond N
  S* lanes_i;  // the same of dout
  S* y;        // [step][kSsdElements]
  S* dots;     // [step][kPanel]: sums over a step that are not yet summed over lanes
  S* gy;       // [step][panelled P]: dout before the gate, in the order of time
  std::int64_t numbers;

  SsdBackScratch(S* from, std::int64_t head_dim, std::int64_t states) : numbers(0) {
    over_n = take(from, 2 * kSsdSteps * panelled(states));
    over_i = take(from, 2 * kSsdSteps * panelled(head_dim));
    lanes_n = take(from, strips_of(states) * kSsdSteps * kSsdElements);
    lanes_i = take(from, strips_of(head_dim) * kSsdSteps * kSsdElements);
    y = take(from, kSsdSteps * kSsdElements);
    dots = take(from, kSsdSteps * kPanel);
    gy = take(from, kSsdSteps * panelled(head_dim));
  }

 private:
  S* take(S* from, std::int64_t count) {
    S* const part = from == nullptr ? nullptr : from + numbers;
    numbers += count;
    return part;
  }
};

/// `lanes` by `others` numbers, at from[lane * lane_stride + other * stride], in the core's layout.
template <class V>
void pack_states(const LaneOf<V>* from, std::int64_t lane_stride, std::int64_t lanes, std::int64_t stride,
                 std::int64_t others, LaneOf<V>* to) {
  std::fill_n(to, ssd_packed_states(lanes, others), LaneOf<V>{0});
  for (std::int64_t i = 0; i < lanes; ++i)
    for (std::int64_t n = 0; n < others; ++n)
      to[packed_index<V>(i, n, others)] = from[i * lane_stride + n * stride];
}

template <class V>
struct Half {
  using Type __attribute__((vector_size(sizeof(V) / 2))) = LaneOf<V>;
};

/// All lanes of v together, by halves.
template <class V>
BS_INLINE LaneOf<V> sum_lanes(const V& v) {
  if constexpr (sizeof(V) > 16) {
    typename Half<V>::Type halves[2];
    std::memcpy(halves, &v, sizeof v);
    return sum_lanes<typename Half<V>::Type>(halves[0] + halves[1]);
  } else {
    LaneOf<V> sum = v[0];
    for (std::int64_t i = 1; i < kLanesOf<V>; ++i) sum += v[i];
    return sum;
  }
}

/// Panels for the core: b times its scale beside c times its scale, `count` numbers a step.
template <class V, class B, class C, class S>
BS_INLINE void pack_panels(const Rows<const B>& b, const S* b_scale, const Rows<const C>& c, const S* c_scale,
                           std::int64_t count, std::int64_t steps, S* to) {
  for (std::int64_t t = 0; t < steps; ++t) {
    for (std::int64_t n = 0; n < panelled(count); n += kLanesOf<V>) {
      S* const at = to + (n / kPanel * kSsdSteps + t) * 2 * kPanel + n % kPanel;
      const std::int64_t left = std::max<std::int64_t>(count - n, 0);
      store_lanes<V>(at, load_lanes<V>(b.at(t) + n, left) * b_scale[t]);
      store_lanes<V>(at + kPanel, load_lanes<V>(c.at(t) + n, left) * c_scale[t]);
    }
  }
}

/// Rows of `count` numbers, scaled, in strips of lanes.
template <class V, class T, class S>
BS_INLINE void stage_lanes(const Rows<const T>& from, const S* scale, std::int64_t count, std::int64_t steps,
                           S* to) {
  for (std::int64_t t = 0; t < steps; ++t)
    for (std::int64_t i = 0; i < count; i += kLanesOf<V>)
      store_lanes<V>(to + (i / kSsdElements * kSsdSteps + t) * kSsdElements + i % kSsdElements,
                     load_lanes<V>(from.at(t) + i, count - i) * scale[t]);
}

/// Runs the core on strip `k` of `lanes` lanes against `others` others; y is its result.
template <class V>
BS_INLINE void run_strip_core(const Decays<LaneOf<V>>& decays, std::int64_t k, std::int64_t lanes,
                              std::int64_t others, const SsdBuffers<LaneOf<V>>& all) {
  const SsdBuffers<LaneOf<V>> strip{all.state + k * kSsdElements * panelled(others), all.mixers,
                                    all.x + k * kSsdSteps * kSsdElements, all.y};
  std::fill_n(all.y, decays.steps * kSsdElements, LaneOf<V>{0});
  run_core<V, true>(decays, std::min(kSsdElements, lanes - k * kSsdElements), others, strip);
}

/// to = y + weights own, or to += that, for strip k of rows of `count` numbers; `own` is staged.
template <class V, class S>
BS_INLINE void collect(const S* y, const S* weights, const S* own, std::int64_t k, std::int64_t count,
                       std::int64_t steps, bool add, const Rows<S>& to) {
  for (std::int64_t t = 0; t < steps; ++t) {
    S* const row = to.at(t);
    for (std::int64_t i = k * kSsdElements; i < std::min(count, (k + 1) * kSsdElements); i += kLanesOf<V>) {
      const std::int64_t at = t * kSsdElements + i % kSsdElements;
      V sum = load_lanes<V>(y + at) + load_lanes<V>(own + k * kSsdSteps * kSsdElements + at) * weights[t];
      if (add) sum += load_lanes<V>(row + i, count - i);
      store_lanes<V>(row + i, sum, count - i);
    }
  }
}

/// sums[t] = a . b, rows of `count` numbers.
template <class V, class A, class B, class S>
BS_INLINE void dot_rows(const Rows<const A>& a, const Rows<const B>& b, std::int64_t count,
                        std::int64_t steps, S* sums) {
  for (std::int64_t t = 0; t < steps; ++t) {
    V sum = {};
    for (std::int64_t i = 0; i < count; i += kLanesOf<V>)
      sum += load_lanes<V>(a.at(t) + i, count - i) * load_lanes<V>(b.at(t) + i, count - i);
    sums[t] = sum_lanes<V>(sum);
  }
}

/// dots[t] += y . with, over strip k.
template <class V, class T, class S>
BS_INLINE void collect_dots(const S* y, std::int64_t k, const Rows<const T>& with, std::int64_t count,
                            std::int64_t steps, S* dots) {
  for (std::int64_t t = 0; t < steps; ++t) {
    V sum = load_lanes<V>(dots + t * kPanel);
    for (std::int64_t i = k * kSsdElements; i < std::min(count, (k + 1) * kSsdElements); i += kLanesOf<V>)
      sum +=
          load_lanes<V>(y + t * kSsdElements + i % kSsdElements) * load_lanes<V>(with.at(t) + i, count - i);
    store_lanes<V>(dots + t * kPanel, sum);
  }
}

/// Asks for `count` numbers of each row, for reading or writing, behind (`ahead` > 0) those that `rows` has.
template <int kWrite, class T>
BS_INLINE void prefetch_rows(const Rows<T>& rows, std::int64_t ahead, std::int64_t count,
                             std::int64_t steps) {
  for (std::int64_t t = 0; t < steps; ++t)
    prefetch<kWrite>(rows.at(t) + ahead, count * static_cast<std::int64_t>(sizeof(T)));
}

/// The inner product of two packed states.
template <class V>
BS_INLINE double dot_states(const LaneOf<V>* a, const LaneOf<V>* b, std::int64_t count) {
  double total = 0.0;
  V sums[2] = {};
  for (std::int64_t i = 0; i < count; i += 2 * kLanesOf<V>) {
    sums[0] += load_lanes<V>(a + i) * load_lanes<V>(b + i);
    sums[1] += load_lanes<V>(a + i + kLanesOf<V>) * load_lanes<V>(b + i + kLanesOf<V>);
  }
  const V sum = sums[0] + sums[1];
  for (std::int64_t i = 0; i < kLanesOf<V>; ++i) total += static_cast<double>(sum[i]);
  return total;
}

}  // namespace bench::scan
