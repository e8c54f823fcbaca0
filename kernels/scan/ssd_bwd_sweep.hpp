// SPDX-License-Identifier: Apache-2.0
// A unit of the backward pass of Mamba-2's scan at work (ssd_bwd_tile.hpp): where its tensors' rows lie from a step on, and
// the gradient before the gate.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/scan/ssd_bwd_stages.hpp"

namespace bench::scan {

template <class S>
struct Ones {
  alignas(64) S values[kSsdSteps];
  Ones() { std::fill_n(values, kSsdSteps, S{1}); }
};

/// A step with a longer decay than this leaves nothing of the state, in digits of S.
template <class S>
inline constexpr double kLongest = sizeof(S) == sizeof(double) ? 40.0 : 20.0;

/// A unit at work: its scratch, and its tensors' rows from a step on.
template <class V, class T>
struct Sweep {
  using S = StateOf<T>;
  const SsdBackUnit<T>& unit;
  const SsdBwdViews<T>& in;
  const SsdKept<S>& kept;
  SsdBackScratch<S> room;
  Ones<S> ones;
  std::int64_t chunks = 0;  // that the sweep forwards met
  Decays<S> decays{};
  alignas(64) S d[kSsdSteps];        // of a chunk, in the order of time
  alignas(64) S d_scale[kSsdSteps];  // exp(s) d, in the order of the sweep, as the others
  alignas(64) S own[kSsdSteps];      // C . B of a chunk
  alignas(64) S weights[kSsdSteps];  // d dout . x

  explicit Sweep(const SsdBackUnit<T>& work)
      : unit(work), in(*work.in), kept(*work.kept), room(work.scratch, in.head_dim(), in.states()) {
    std::fill_n(work.scratch, room.numbers, S{0});
  }
  std::int64_t kept_index(std::int64_t head) const { return unit.entry * in.heads() + head; }
  Rows<const T> mixer_rows(const View<const T, 4>& v, std::int64_t t0) const {
    return {&v(unit.entry, t0, unit.group, 0), in.groups() * in.states()};
  }
  Rows<S> sum_rows(S* sums, std::int64_t t0) const {
    const std::int64_t stride = in.groups() * in.states();
    return {sums + (unit.entry * in.rows() + t0) * stride + unit.group * in.states(), stride};
  }
  template <class U>
  Rows<U> head_rows(const View<U, 4>& v, std::int64_t t0, std::int64_t head) const {
    return {&v(unit.entry, t0, head, 0), in.heads() * in.head_dim()};
  }
};

/// dout before the gate, of a chunk and head: as it is where it may be, else widened and gated into scratch.
template <class V, class T>
BS_INLINE Rows<const StateOf<T>> ungated_rows(const Sweep<V, T>& s, std::int64_t t0, std::int64_t steps, std::int64_t head) {
  const auto dout = s.head_rows(s.in.dout, t0, head);
  if constexpr (std::is_same_v<T, StateOf<T>>)
    if (!s.in.gated()) return dout;
  const std::int64_t count = s.in.head_dim(), stride = panelled(count);
  for (std::int64_t t = 0; t < steps; ++t) {
    const T* z = s.in.gated() ? &s.in.z(s.unit.entry, t0 + t, head, 0) : nullptr;
    for (std::int64_t i = 0; i < count; i += kLanesOf<V>) {
      V gy = load_lanes<V>(dout.at(t) + i, count - i);
      if (z != nullptr) gy *= silu_lanes<V>(load_lanes<V>(z + i, count - i));
      store_lanes<V>(s.room.gy + t * stride + i, gy);
    }
  }
  return {s.room.gy, stride};
}

/// dz, in which the result before the gate lies.
template <class V, class T>
BS_INLINE void finish_dz(const Sweep<V, T>& s, std::int64_t t0, std::int64_t steps, std::int64_t head) {
  const std::int64_t count = s.in.head_dim();
  for (std::int64_t t = t0; t < t0 + steps; ++t) {
    const T *dout = &s.in.dout(s.unit.entry, t, head, 0), *z = &s.in.z(s.unit.entry, t, head, 0);
    T* const dz = &s.in.dz(s.unit.entry, t, head, 0);
    for (std::int64_t i = 0; i < count; i += kLanesOf<V>) {
      const std::int64_t left = count - i;
      const V y = load_lanes<V>(dz + i, left), slope = silu_slope_lanes<V>(load_lanes<V>(z + i, left));
      store_lanes<V>(dz + i, load_lanes<V>(dout + i, left) * y * slope, left);
    }
  }
}

}  // namespace bench::scan
