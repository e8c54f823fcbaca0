// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_bwd_tile.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective_bwd.hpp"
#include "kernels/scan/ssd_bwd_sweep.hpp"

namespace bench::scan {
namespace {

/// dC and the kept states of one chunk and head; B lies in lanes_n.
template <class V, class T>
BS_INLINE void forward_head(Sweep<V, T>& s, std::int64_t chunk, Range span, std::int64_t head) {
  using S = StateOf<T>;
  const std::int64_t t0 = span.begin, steps = span.size(), k = s.kept_index(head);
  const std::int64_t states = s.in.states(), head_dim = s.in.head_dim();
  const SsdKept<S>& kept = s.kept;
  S* const state = kept.state_of(chunk, k);
  double& open = kept.opens[chunk * kept.heads + k];
  open = chunk == 0 ? 0.0 : kept.opens[(chunk - 1) * kept.heads + k];
  if (chunk == 0)
    pack_states<V>(&s.in.h0(s.unit.entry, head, 0, 0), 1, states, states, head_dim, state);
  else
    std::copy_n(kept.state_of(chunk - 1, k), kept.by_n_size, state);
  if (s.in.segments.start_at(t0)) open = kForgotten;
  s.decays.steps = steps;
  find_decays<V>(&s.in.dt(s.unit.entry, t0, head), s.in.heads(), s.in.bias[head], s.in.limits, s.in.a[head],
                 open, s.decays);
  const auto x = s.head_rows(s.in.x, t0, head);
  const auto dout = ungated_rows(s, t0, steps, head);
  pack_panels<V>(x, s.decays.in_scale, dout, s.decays.out_scale, head_dim, steps, s.room.over_i);
  std::fill_n(s.room.dots, kSsdSteps * kPanel, S{0});
  S* const gains = kept.gains + k * kept.seq + t0;
  dot_rows<V>(x, dout, head_dim, steps, gains);
  for (std::int64_t t = 0; t < steps; ++t) s.weights[t] = gains[t] * s.decays.d[t];
  prefetch_rows<0>(x, head_dim, head_dim, steps);
  prefetch_rows<0>(s.head_rows(s.in.dout, t0, head), head_dim, head_dim, steps);
  if (s.in.gated()) finish_dz(s, t0, steps, head);
  const SsdBuffers<S> buffers{state, s.room.over_i, s.room.lanes_n, s.room.y};
  for (std::int64_t strip = 0; strip < strips_of(states); ++strip) {
    run_strip_core<V>(s.decays, strip, states, head_dim, buffers);
    collect<V>(s.room.y, s.weights, s.room.lanes_n, strip, states, steps, head != s.unit.heads.begin,
               s.sum_rows(s.unit.dc, t0));
    collect_dots<V>(s.room.y, strip, s.mixer_rows(s.in.c, t0), states, steps, s.room.dots);
  }
  for (std::int64_t t = 0; t < steps; ++t)
    kept.held[k * kept.seq + t0 + t] = sum_lanes<V>(load_lanes<V>(s.room.dots + t * kPanel));
}

/// d in the order of time, and the decays of a chunk backwards, whose first is that of the step after it.
template <class V, class T>
BS_INLINE void find_decays_back(Sweep<V, T>& s, std::int64_t t0, std::int64_t steps, std::int64_t head) {
  const std::int64_t k = s.kept_index(head);
  find_steps<V>(&s.in.dt(s.unit.entry, t0, head), s.in.heads(), s.in.bias[head], s.in.limits, steps, s.d);
  s.decays.steps = steps;
  for (std::int64_t j = 0; j < steps; ++j) s.decays.d[j] = j == 0 ? s.kept.next_d[k] : s.d[steps - j];
  s.kept.next_d[k] = s.d[0];
  cut_blocks(s.decays, s.in.a[head], s.kept.open[k]);
  scale_sums<V>(s.decays);
  for (std::int64_t j = 0; j < steps; ++j) s.d_scale[j] = s.decays.out_scale[j] * s.d[steps - 1 - j];
}

/// What the core's result, (e R) B of the later steps, makes of strip `k`: dx, and x times it. Rows are
/// backwards.
template <class V, class T>
BS_INLINE void finish_dx(Sweep<V, T>& s, const Rows<const StateOf<T>>& dout, std::int64_t t0, std::int64_t steps,
                         std::int64_t head, std::int64_t k) {
  using S = StateOf<T>;
  const auto x = backwards(s.head_rows(s.in.x, t0, head), steps);
  const auto dx = backwards(s.head_rows(s.in.dx, t0, head), steps);
  const std::int64_t end = std::min(s.in.head_dim(), (k + 1) * kSsdElements);
  for (std::int64_t j = 0; j < steps; ++j) {
    const S direct = s.in.skip[head] + s.own[j] * s.d[steps - 1 - j];
    V sum = load_lanes<V>(s.room.dots + j * kPanel);
    for (std::int64_t i = k * kSsdElements; i < end; i += kLanesOf<V>) {
      const V y = load_lanes<V>(s.room.y + j * kSsdElements + i % kSsdElements);
      sum += load_lanes<V>(x.at(j) + i, end - i) * y;
      store_lanes<V>(dx.at(j) + i, y * s.d_scale[j] + load_lanes<V>(dout.at(j) + i, end - i) * direct,
                     end - i);
    }
    store_lanes<V>(s.room.dots + j * kPanel, sum);
  }
}

/// ddt of the chunk and its part of the sums over steps. `u` is that of the step after the chunk.
template <class V, class T>
BS_INLINE void finish_steps(Sweep<V, T>& s, std::int64_t t0, std::int64_t steps, std::int64_t head,
                            double u) {
  using S = StateOf<T>;
  const std::int64_t k = s.kept_index(head);
  const double a = static_cast<double>(s.in.a[head]);
  const S* const gains = s.kept.gains + k * s.kept.seq + t0;
  const bool starts = s.in.segments.start_at(t0);
  double sum_a = 0.0, sum_skip = 0.0, sum_bias = 0.0;
  for (std::int64_t j = 0; j < steps; ++j) {
    const std::int64_t t = steps - 1 - j;
    const double d = static_cast<double>(s.d[t]);
    const double later = static_cast<double>(sum_lanes<V>(load_lanes<V>(s.room.dots + j * kPanel))) *
                         static_cast<double>(s.decays.out_scale[j]);
    const double w = later + static_cast<double>(s.own[j] * gains[t]);
    u += static_cast<double>(s.kept.held[k * s.kept.seq + t0 + t]) - d * later;
    if (-d * a > kLongest<S> || (t == 0 && starts)) u = 0.0;
    const S v = static_cast<S>(load(s.in.dt(s.unit.entry, t0 + t, head))) + s.in.bias[head];
    const S ddt = static_cast<S>(w + a * u) * s.in.limits.slope(v, s.d[t]);
    s.in.ddt(s.unit.entry, t0 + t, head) = store<T>(ddt);
    sum_a += d * u;
    sum_skip += static_cast<double>(gains[t]);
    sum_bias += static_cast<double>(ddt);
  }
  double* const sums = s.kept.sums + 3 * k;
  sums[0] += sum_a, sums[1] += sum_skip, sums[2] += sum_bias;
}

/// dx, ddt and dB of one chunk and head; C lies backwards in lanes_n, and C and B in over_n.
template <class V, class T>
BS_INLINE void reverse_head(Sweep<V, T>& s, std::int64_t chunk, Range span, std::int64_t head) {
  using S = StateOf<T>;
  const std::int64_t t0 = span.begin, steps = span.size(), k = s.kept_index(head);
  const std::int64_t states = s.in.states(), head_dim = s.in.head_dim();
  const SsdKept<S>& kept = s.kept;
  S *const by_n = kept.by_n + k * kept.by_n_size, *const by_i = kept.by_i + k * kept.by_i_size;
  const double left = kept.opens[chunk * kept.heads + k] + kept.open[k] +
                      static_cast<double>(s.in.a[head]) * static_cast<double>(kept.next_d[k]);
  const double u = std::exp(left) * dot_states<V>(kept.state_of(chunk, k), by_n, kept.by_n_size);
  find_decays_back(s, t0, steps, head);
  const auto x = backwards(s.head_rows(s.in.x, t0, head), steps);
  const auto dout = backwards(ungated_rows(s, t0, steps, head), steps);
  std::fill_n(s.room.dots, kSsdSteps * kPanel, S{0});
  for (std::int64_t j = 0; j < steps; ++j)
    s.weights[j] = kept.gains[k * kept.seq + t0 + steps - 1 - j] * s.d[steps - 1 - j];
  prefetch_rows<0>(x, head_dim, head_dim, steps);
  prefetch_rows<0>(s.head_rows(s.in.dout, t0, head), head_dim, head_dim, steps);
  prefetch_rows<1>(s.head_rows(s.in.dx, t0, head), 0, head_dim, steps);
  stage_lanes<V>(dout, s.decays.in_scale, head_dim, steps, s.room.lanes_i);
  for (std::int64_t strip = 0; strip < strips_of(head_dim); ++strip) {
    run_strip_core<V>(s.decays, strip, head_dim, states,
                      SsdBuffers<S>{by_i, s.room.over_n, s.room.lanes_i, s.room.y});
    finish_dx(s, dout, t0, steps, head, strip);
  }
  finish_steps(s, t0, steps, head, u);
  pack_panels<V>(dout, s.decays.in_scale, x, s.d_scale, head_dim, steps, s.room.over_i);
  for (std::int64_t strip = 0; strip < strips_of(states); ++strip) {
    run_strip_core<V>(s.decays, strip, states, head_dim,
                      SsdBuffers<S>{by_n, s.room.over_i, s.room.lanes_n, s.room.y});
    collect<V>(s.room.y, s.weights, s.room.lanes_n, strip, states, steps, head != s.unit.heads.begin,
               backwards(s.sum_rows(s.unit.db, t0), steps));
  }
  if (s.in.segments.start_at(t0)) kept.open[k] = kForgotten;
}

template <class V, class T>
BS_INLINE void sweep_forward(Sweep<V, T>& s) {
  s.chunks = 0;
  for (Range span{}; span.end < s.in.rows(); ++s.chunks) {
    span = s.in.segments.piece_at(span.end, s.in.rows(), kSsdSteps);
    stage_lanes<V>(s.mixer_rows(s.in.b, span.begin), s.ones.values, s.in.states(), span.size(), s.room.lanes_n);
    for (std::int64_t head = s.unit.heads.begin; head < s.unit.heads.end; ++head)
      forward_head(s, s.chunks, span, head);
  }
}

template <class V, class T>
BS_INLINE void sweep_back(Sweep<V, T>& s) {
  Range span{s.in.rows(), s.in.rows()};
  for (std::int64_t chunk = s.chunks - 1; chunk >= 0; --chunk) {
    span = s.in.segments.piece_before(span.begin, kSsdSteps);
    const std::int64_t t0 = span.begin, steps = span.size();
    const auto b = backwards(s.mixer_rows(s.in.b, t0), steps), c = backwards(s.mixer_rows(s.in.c, t0), steps);
    stage_lanes<V>(c, s.ones.values, s.in.states(), steps, s.room.lanes_n);
    pack_panels<V>(c, s.ones.values, b, s.ones.values, s.in.states(), steps, s.room.over_n);
    dot_rows<V>(b, c, s.in.states(), steps, s.own);
    for (std::int64_t head = s.unit.heads.begin; head < s.unit.heads.end; ++head)
      reverse_head(s, chunk, span, head);
  }
}

template <class V, class T>
void begin_back(const Sweep<V, T>& s) {
  const std::int64_t states = s.in.states(), head_dim = s.in.head_dim();
  for (std::int64_t head = s.unit.heads.begin; head < s.unit.heads.end; ++head) {
    const std::int64_t k = s.kept_index(head);
    const auto* from = &s.in.dh_last(s.unit.entry, head, 0, 0);
    pack_states<V>(from, 1, states, states, head_dim, s.kept.by_n + k * s.kept.by_n_size);
    pack_states<V>(from, states, head_dim, 1, states, s.kept.by_i + k * s.kept.by_i_size);
    s.kept.open[k] = 0.0;
    s.kept.next_d[k] = 0;
    std::fill_n(s.kept.sums + 3 * k, 3, 0.0);
  }
}

template <class V, class T>
void end_back(const Sweep<V, T>& s) {
  using S = StateOf<T>;
  for (std::int64_t head = s.unit.heads.begin; head < s.unit.heads.end; ++head) {
    const std::int64_t k = s.kept_index(head);
    const S* const by_i = s.kept.by_i + k * s.kept.by_i_size;
    const S left = static_cast<S>(
        std::exp(s.kept.open[k] + static_cast<double>(s.in.a[head]) * static_cast<double>(s.kept.next_d[k])));
    for (std::int64_t i = 0; i < s.in.head_dim(); ++i)
      for (std::int64_t n = 0; n < s.in.states(); ++n)
        s.in.dh0(s.unit.entry, head, i, n) = by_i[packed_index<V>(i, n, s.in.states())] * left;
  }
}

template <class V, class T>
BS_TARGET_AVX512 void sweeps_avx512(Sweep<V, T>& s, bool forward) {
  forward ? sweep_forward(s) : sweep_back(s);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
BS_TARGET_AVX2 void sweeps_avx2(Sweep<V, T>& s, bool forward) {
  forward ? sweep_forward(s) : sweep_back(s);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
void sweeps_plain(Sweep<V, T>& s, bool forward) {
  forward ? sweep_forward(s) : sweep_back(s);
}

template <class V, class T>
void run_unit(const SsdBackUnit<T>& unit) {
  const FlushDenormals flush;
  constexpr auto kSweeps = sizeof(V) == 64   ? sweeps_avx512<V, T>
                           : sizeof(V) == 32 ? sweeps_avx2<V, T>
                                             : sweeps_plain<V, T>;
  Sweep<V, T> sweep(unit);
  kSweeps(sweep, true);
  begin_back(sweep);
  kSweeps(sweep, false);
  end_back(sweep);
}

}  // namespace

std::int64_t ssd_packed_states(std::int64_t lanes, std::int64_t others) {
  return ceil_div(lanes, kSsdGrain) * kSsdGrain * panelled(others);
}

std::int64_t ssd_bwd_scratch(std::int64_t head_dim, std::int64_t states) {
  return SsdBackScratch<float>(nullptr, head_dim, states).numbers;
}

template <class T>
void run_ssd_back_unit(const SsdBackUnit<T>& unit, Isa isa) {
  constexpr bool kDouble = std::is_same_v<T, double>;
  if (isa == Isa::avx512) return run_unit<std::conditional_t<kDouble, F64x8, simd::F32x16>>(unit);
  if (isa == Isa::avx2) return run_unit<std::conditional_t<kDouble, F64x4, simd::F32x8>>(unit);
  run_unit<std::conditional_t<kDouble, F64x2, simd::F32x4>>(unit);
}

template void run_ssd_back_unit(const SsdBackUnit<double>&, Isa);
template void run_ssd_back_unit(const SsdBackUnit<float>&, Isa);
template void run_ssd_back_unit(const SsdBackUnit<Bf16>&, Isa);
template void run_ssd_back_unit(const SsdBackUnit<F16>&, Isa);

}  // namespace bench::scan
