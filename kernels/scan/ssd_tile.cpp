// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_tile.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/ssd_stages.hpp"

namespace bench::scan {
namespace {

/// `rows` are the strip's rows of N states.
template <class V>
void pack_state(const LaneOf<V>* rows, std::int64_t width, std::int64_t states, LaneOf<V>* packed) {
  std::fill_n(packed, kSsdElements * panelled(states), LaneOf<V>{0});
  for (std::int64_t i = 0; i < width; ++i)
    for (std::int64_t n = 0; n < states; ++n) packed[packed_index<V>(i, n, states)] = rows[i * states + n];
}

/// The reverse, times what the last block's decays left open.
template <class V>
void unpack_state(const LaneOf<V>* packed, std::int64_t width, std::int64_t states, LaneOf<V> scale,
                  LaneOf<V>* rows) {
  for (std::int64_t i = 0; i < width; ++i)
    for (std::int64_t n = 0; n < states; ++n)
      rows[i * states + n] = packed[packed_index<V>(i, n, states)] * scale;
}

/// Which strip a job is, and where its states lie.
template <class T>
SsdStrip strip_of(const SsdViews<T>& in, const SsdShare& share, std::int64_t job) {
  const std::int64_t first = share.group * (in.heads() / in.b.extent[2]);
  return {share.entry, first + job / share.strips,
          part_of(in.head_dim(), kSsdGrain, share.strips, job % share.strips)};
}
template <class T>
std::int64_t index_of(const SsdViews<T>& in, const SsdShare& share, const SsdStrip& strip, std::int64_t job) {
  return (share.entry * in.heads() + strip.head) * share.strips + job % share.strips;
}

/// One chunk of one strip.
template <class V, class T>
BS_INLINE void run_strip(const SsdViews<T>& in, const SsdStrip& strip, std::int64_t t0, std::int64_t steps,
                         double& open, const SsdBuffers<LaneOf<V>>& buffers) {
  Decays<LaneOf<V>> decays;
  decays.steps = steps;
  find_decays<V>(&in.dt(strip.entry, t0, strip.head), in.heads(), in.bias[strip.head], in.limits,
                 in.a[strip.head], open, decays);
  stage<V>(in, strip, t0, decays, buffers.x);
  std::fill_n(buffers.y, steps * kSsdElements, LaneOf<V>{0});
  run_core<V>(decays, strip.elements.size(), in.states(), buffers);
  finish<V>(in, strip, t0, decays, buffers.y);
}

template <class V, class T>
BS_INLINE void run_chunks(const SsdViews<T>& in, const SsdShare& share, const SsdStates<LaneOf<V>>& states,
                          SsdBuffers<LaneOf<V>> buffers) {
  for (Range chunk{}; chunk.end < in.rows();) {
    chunk = in.segments.piece_at(chunk.end, in.rows(), kSsdSteps);
    const bool starts = in.segments.start_at(chunk.begin);
    pack_mixers<V>(in, share, chunk.begin, chunk.size(), buffers.mixers);
    for (std::int64_t job = share.jobs.begin; job < share.jobs.end; ++job) {
      const SsdStrip strip = strip_of(in, share, job);
      const std::int64_t k = index_of(in, share, strip, job);
      buffers.state = states.packed + k * ssd_packed(in.states());
      if (starts) states.open[k] = kForgotten;
      run_strip<V>(in, strip, chunk.begin, chunk.size(), states.open[k], buffers);
    }
  }
}

template <class V, class T>
BS_TARGET_AVX512 void chunks_avx512(const SsdViews<T>& in, const SsdShare& share,
                                    const SsdStates<LaneOf<V>>& states,
                                    const SsdBuffers<LaneOf<V>>& buffers) {
  run_chunks<V>(in, share, states, buffers);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
BS_TARGET_AVX2 void chunks_avx2(const SsdViews<T>& in, const SsdShare& share,
                                const SsdStates<LaneOf<V>>& states, const SsdBuffers<LaneOf<V>>& buffers) {
  run_chunks<V>(in, share, states, buffers);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
void chunks_plain(const SsdViews<T>& in, const SsdShare& share, const SsdStates<LaneOf<V>>& states,
                  const SsdBuffers<LaneOf<V>>& buffers) {
  run_chunks<V>(in, share, states, buffers);
}

/// Packs the share's states, or unpacks them.
template <class V, class T>
void move_states(const SsdViews<T>& in, const SsdShare& share, const SsdStates<LaneOf<V>>& states, bool pack,
                 LaneOf<V>* state) {
  for (std::int64_t job = share.jobs.begin; job < share.jobs.end; ++job) {
    const SsdStrip strip = strip_of(in, share, job);
    const std::int64_t k = index_of(in, share, strip, job), n = in.states();
    LaneOf<V>* const packed = states.packed + k * ssd_packed(n);
    LaneOf<V>* const rows =
        state + ((strip.entry * in.heads() + strip.head) * in.head_dim() + strip.elements.begin) * n;
    if (pack) {
      pack_state<V>(rows, strip.elements.size(), n, packed);
      states.open[k] = 0.0;
    } else {
      unpack_state<V>(packed, strip.elements.size(), n, static_cast<LaneOf<V>>(std::exp(states.open[k])),
                      rows);
    }
  }
}

template <class V, class T>
void run_share(const SsdViews<T>& in, const SsdShare& share, LaneOf<V>* state,
               const SsdStates<LaneOf<V>>& states, LaneOf<V>* scratch) {
  const FlushDenormals flush;
  LaneOf<V>* const mixers = scratch + 2 * kSsdSteps * kSsdElements;
  const SsdBuffers<LaneOf<V>> buffers{nullptr, mixers, scratch, scratch + kSsdSteps * kSsdElements};
  std::fill_n(buffers.x, kSsdSteps * kSsdElements, LaneOf<V>{0});
  move_states<V>(in, share, states, true, state);
  if constexpr (sizeof(V) == 64)
    chunks_avx512<V>(in, share, states, buffers);
  else if constexpr (sizeof(V) == 32)
    chunks_avx2<V>(in, share, states, buffers);
  else
    chunks_plain<V>(in, share, states, buffers);
  move_states<V>(in, share, states, false, state);
}

}  // namespace

std::int64_t ssd_packed(std::int64_t states) {
  return kSsdElements * panelled(states);
}

std::int64_t ssd_scratch(std::int64_t states) {
  return 2 * kSsdSteps * (panelled(states) + kSsdElements);
}

template <class T>
void scan_ssd_share(const SsdViews<T>& views, const SsdShare& share, StateOf<T>* state,
                    const SsdStates<StateOf<T>>& states, StateOf<T>* scratch, Isa isa) {
  constexpr bool kDouble = std::is_same_v<T, double>;
  using V64 = std::conditional_t<kDouble, F64x8, simd::F32x16>;
  using V32 = std::conditional_t<kDouble, F64x4, simd::F32x8>;
  using V16 = std::conditional_t<kDouble, F64x2, simd::F32x4>;
  if (isa == Isa::avx512) return run_share<V64>(views, share, state, states, scratch);
  if (isa == Isa::avx2) return run_share<V32>(views, share, state, states, scratch);
  run_share<V16>(views, share, state, states, scratch);
}

template void scan_ssd_share(const SsdViews<double>&, const SsdShare&, double*, const SsdStates<double>&,
                             double*, Isa);
template void scan_ssd_share(const SsdViews<float>&, const SsdShare&, float*, const SsdStates<float>&, float*,
                             Isa);
template void scan_ssd_share(const SsdViews<Bf16>&, const SsdShare&, float*, const SsdStates<float>&, float*,
                             Isa);
template void scan_ssd_share(const SsdViews<F16>&, const SsdShare&, float*, const SsdStates<float>&, float*,
                             Isa);

}  // namespace bench::scan
