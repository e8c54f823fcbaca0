// SPDX-License-Identifier: Apache-2.0
// The inner loops of the recurrence with time last: one line of L steps at a time, a vector of neighbouring steps by a
// scan in log2(lanes) steps (Hillis and Steele 1986) on the pairs (a, b): with distance s = 1, 2, 4, ...
//   b_i <- a_i b_{i-s} + b_i,  a_i <- a_i a_{i-s}      (lanes before the first: a = 1, b = 0)
// after which h_i = a_i h_before + b_i, and only the last lane's h waits for the vector before. Bodies only, for the
// instruction set of the caller.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "kernels/scan/row_output.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/simd_math.hpp"

namespace bench::scan {

/// Lane i of x moved to lane i + kBy (backward: to lane i - kBy); `fill` comes in.
template <class V, int kBy, bool kBack, int... kLane>
BS_INLINE V moved(const V& x, const V& fill, std::integer_sequence<int, kLane...>) {
  constexpr int kWidth = simd::kWidth<V>;
  const simd::I32Of<V> from{
      (kBack ? kLane + kBy : (kLane >= kBy ? kLane - kBy : kWidth + kLane))...};
  return __builtin_shuffle(x, fill, from);
}

/// The scan of the pairs in the lanes, from the first lane on (backward: from the last).
template <class V, bool kBack, int kBy = 1>
BS_INLINE void scan_lanes(V& a, V& b) {
  if constexpr (kBy < simd::kWidth<V>) {
    constexpr auto kLanesOf = std::make_integer_sequence<int, simd::kWidth<V>>();
    b = a * moved<V, kBy, kBack>(b, V{}, kLanesOf) + b;
    a = a * moved<V, kBy, kBack>(a, V{} + 1.0F, kLanesOf);
    scan_lanes<V, kBack, 2 * kBy>(a, b);
  }
}

/// One lane of x in all lanes.
template <class V, int kFrom, int... kLane>
BS_INLINE V spread(const V& x, std::integer_sequence<int, kLane...>) {
  const simd::I32Of<V> from{(kLane * 0 + kFrom)...};
  return __builtin_shuffle(x, from);
}

/// Fetches what lies 2 KB on, in the next page if need be, where the hardware's prefetchers stop: a tenth to a quarter faster for lines
/// of 4 KB, and 1 or 4 KB on did about as well. The backward pass gained nothing.
BS_INLINE void fetch_ahead(const void* at) {
  constexpr std::uintptr_t kAheadBytes = 2048;
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(at) + kAheadBytes));
}

/// Steps where packed sequences begin, which a walk along a line takes off one end or the other as it comes by.
using Starts = std::span<const std::int64_t>;

BS_INLINE bool take_first(Starts& starts, std::int64_t t) {
  if (starts.empty() || starts.front() != t) return false;
  starts = starts.subspan(1);
  return true;
}
BS_INLINE bool take_last(Starts& starts, std::int64_t t) {
  if (starts.empty() || starts.back() != t) return false;
  starts = starts.first(starts.size() - 1);
  return true;
}

/// x, zero in lane i.
template <class V, int... kLane>
BS_INLINE V without_lane(const V& x, std::int64_t i, std::integer_sequence<int, kLane...>) {
  const simd::I32Of<V> lanes{kLane...};
  return lanes == static_cast<int>(i) ? V{} : x;
}

/// Elements of a line's tensors: h_t = a_t h_{t-1} + b_t.
template <class T>
struct Line {
  const T *a, *b;
  T* h;
  Starts starts;  // a counts as zero there
  bool streams;   // past the caches; whole vectors lie on their own size

  /// A vector of steps from t on; `before` is the state before them in all lanes, and becomes that of the last one.
  /// kStarts: those of `left` that lie among the steps are taken off.
  template <class V, bool kStarts>
  BS_INLINE void vector_at(std::int64_t t, V& before, Starts& left) const {
    constexpr auto kLanesOf = std::make_integer_sequence<int, simd::kWidth<V>>();
    fetch_ahead(a + t);
    fetch_ahead(b + t);
    V product = simd::load<V>(a + t), sum = simd::load<V>(b + t);
    if constexpr (kStarts)
      for (; !left.empty() && left.front() < t + simd::kWidth<V>; left = left.subspan(1))
        product = without_lane<V>(product, left.front() - t, kLanesOf);
    scan_lanes<V, false>(product, sum);
    const V now = product * before + sum;
    before = spread<V, simd::kWidth<V> - 1>(now, kLanesOf);
    if constexpr (std::is_same_v<T, float>) {
      if (streams) return stream_vector<V>(h + t, now);
    }
    simd::store<V>(h + t, now);
  }

  /// All steps from `state`; returns the last state.
  template <class V>
  BS_INLINE float run(std::int64_t steps, float state) const {
    constexpr std::int64_t kWidth = simd::kWidth<V>;
    V before = V{} + state;
    Starts left = starts;
    std::int64_t t = 0;
    while (t + kWidth <= steps) {
      const std::int64_t start = left.empty() ? steps : left.front();
      for (; t + kWidth <= start; t += kWidth) vector_at<V, false>(t, before, left);
      if (t + kWidth <= steps) vector_at<V, true>(t, before, left), t += kWidth;
    }
    state = before[0];
    for (; t < steps; ++t) {
      state = (take_first(left, t) ? 0.0F : load(a[t])) * state + load(b[t]);
      h[t] = store<T>(state);
    }
    return state;
  }
};

/// Elements [begin, end) of a line's tensors, last first: db_t = r_t = dh_t + a_{t+1} r_{t+1}, da_t = r_t h_{t-1}, where
/// h[-1] is `first`. `later` stands for a r of the step behind; returns that of step `begin`.
template <class T>
struct BackLine {
  const T *a, *h, *dh;
  T *da, *db;
  float first;
  Starts starts;  // a and h before them count as zero there
  bool streams;   // past the caches; whole vectors lie on their own size

  BS_INLINE float by_steps(std::int64_t begin, std::int64_t end, float later, Starts& left) const {
    for (std::int64_t t = end - 1; t >= begin; --t) {
      const bool start = take_last(left, t);
      const float r = load(dh[t]) + later;
      db[t] = store<T>(r);
      da[t] = store<T>(r * (start ? 0.0F : t > 0 ? load(h[t - 1]) : first));
      later = start ? 0.0F : load(a[t]) * r;
    }
    return later;
  }

  template <class V>
  BS_INLINE void write(T* to, const V& v) const {
    if constexpr (std::is_same_v<T, float>) {
      if (streams) return stream_vector<V>(to, v);
    }
    simd::store<V>(to, v);
  }

  /// A vector of steps from `from` > 0 on. With e_t = a_t r_t: e_t = a_t e_{t+1} + a_t dh_t is the recurrence in reverse,
  /// and r_t = dh_t + e_{t+1}. `behind` is e of the step behind them in all lanes, and becomes that of the first one.
  /// kStarts: as above.
  template <class V, bool kStarts>
  BS_INLINE void vector_at(std::int64_t from, V& behind, Starts& left) const {
    constexpr auto kLanesOf = std::make_integer_sequence<int, simd::kWidth<V>>();
    const V g = simd::load<V>(dh + from);
    V before = simd::load<V>(h + from - 1), product = simd::load<V>(a + from);
    if constexpr (kStarts)
      for (; !left.empty() && left.back() >= from; left = left.first(left.size() - 1)) {
        before = without_lane<V>(before, left.back() - from, kLanesOf);
        product = without_lane<V>(product, left.back() - from, kLanesOf);
      }
    V sum = product * g;
    scan_lanes<V, true>(product, sum);
    const V e = product * behind + sum;
    const V r = g + moved<V, 1, true>(e, behind, kLanesOf);
    write<V>(db + from, r);
    write<V>(da + from, r * before);
    behind = spread<V, 0>(e, kLanesOf);
  }

  /// All steps. The first vector goes by steps, as h[-1] does not lie before h[0].
  template <class V>
  BS_INLINE float run(std::int64_t steps, float later) const {
    constexpr std::int64_t kWidth = simd::kWidth<V>;
    Starts left = starts;
    std::int64_t t = steps / kWidth * kWidth;
    V behind = V{} + by_steps(t, steps, later, left);
    while (t > kWidth) {
      const std::int64_t last = (left.empty() ? 0 : left.back()) + kWidth;  // behind a start no vector from it on
      for (; t > last; t -= kWidth) vector_at<V, false>(t - kWidth, behind, left);
      if (t > kWidth) t -= kWidth, vector_at<V, true>(t, behind, left);
    }
    return by_steps(0, t, behind[0], left);
  }
};

}  // namespace bench::scan
