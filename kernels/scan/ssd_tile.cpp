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

template <class V, class T>
BS_INLINE void run_chunks(const SsdViews<T>& in, const SsdStrip& strip, const SsdBuffers<LaneOf<V>>& buffers,
                          double& open) {
  const std::int64_t width = strip.elements.size();
  Decays<LaneOf<V>> decays{};
  for (std::int64_t t0 = 0; t0 < in.rows(); t0 += kSsdSteps) {
    decays.steps = std::min(kSsdSteps, in.rows() - t0);
    find_decays<V>(&in.dt(strip.entry, t0, strip.head), in.heads(), in.bias[strip.head], in.a[strip.head],
                   open, decays);
    pack_mixers<V>(in, strip, t0, decays.steps, buffers.mixers);
    stage<V>(in, strip, t0, decays, buffers.x);
    std::fill_n(buffers.y, kSsdSteps * kSsdElements, LaneOf<V>{0});
    run_core<V>(decays, width, in.states(), buffers);
    finish<V>(in, strip, t0, decays, buffers.y);
  }
}

template <class V, class T>
BS_TARGET_AVX512 void chunks_avx512(const SsdViews<T>& in, const SsdStrip& strip,
                                    const SsdBuffers<LaneOf<V>>& buffers, double& open) {
  run_chunks<V>(in, strip, buffers, open);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
BS_TARGET_AVX2 void chunks_avx2(const SsdViews<T>& in, const SsdStrip& strip,
                                const SsdBuffers<LaneOf<V>>& buffers, double& open) {
  run_chunks<V>(in, strip, buffers, open);
  BS_LEAVE_WIDE_VECTORS();
}
template <class V, class T>
void chunks_plain(const SsdViews<T>& in, const SsdStrip& strip, const SsdBuffers<LaneOf<V>>& buffers,
                  double& open) {
  run_chunks<V>(in, strip, buffers, open);
}

template <class V, class T>
void run_strip(const SsdViews<T>& in, const SsdStrip& strip, LaneOf<V>* state, LaneOf<V>* scratch) {
  const FlushDenormals flush;
  const std::int64_t states = in.states(), width = strip.elements.size();
  const SsdBuffers<LaneOf<V>> buffers(scratch, states);
  LaneOf<V>* rows = state + strip.elements.begin * states;
  double open = 0.0;
  pack_state<V>(rows, width, states, buffers.state);
  std::fill_n(buffers.x, kSsdSteps * kSsdElements, LaneOf<V>{0});
  if constexpr (sizeof(V) == 64)
    chunks_avx512<V>(in, strip, buffers, open);
  else if constexpr (sizeof(V) == 32)
    chunks_avx2<V>(in, strip, buffers, open);
  else
    chunks_plain<V>(in, strip, buffers, open);
  unpack_state<V>(buffers.state, width, states, static_cast<LaneOf<V>>(std::exp(open)), rows);
}

}  // namespace

std::int64_t ssd_scratch(std::int64_t states) {
  return (kSsdElements + 2 * kSsdSteps) * panelled(states) + 2 * kSsdSteps * kSsdElements;
}

template <class T>
void scan_ssd_strip(const SsdViews<T>& views, const SsdStrip& strip, StateOf<T>* state, StateOf<T>* scratch,
                    Isa isa) {
  constexpr bool kDouble = std::is_same_v<T, double>;
  using V64 = std::conditional_t<kDouble, F64x8, simd::F32x16>;
  using V32 = std::conditional_t<kDouble, F64x4, simd::F32x8>;
  using V16 = std::conditional_t<kDouble, F64x2, simd::F32x4>;
  if (isa == Isa::avx512) return run_strip<V64>(views, strip, state, scratch);
  if (isa == Isa::avx2) return run_strip<V32>(views, strip, state, scratch);
  run_strip<V16>(views, strip, state, scratch);
}

template void scan_ssd_strip(const SsdViews<double>&, const SsdStrip&, double*, double*, Isa);
template void scan_ssd_strip(const SsdViews<float>&, const SsdStrip&, float*, float*, Isa);
template void scan_ssd_strip(const SsdViews<Bf16>&, const SsdStrip&, float*, float*, Isa);
template void scan_ssd_strip(const SsdViews<F16>&, const SsdStrip&, float*, float*, Isa);

}  // namespace bench::scan
