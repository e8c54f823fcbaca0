// SPDX-License-Identifier: Apache-2.0
// K (keys, D) -> panels (D, panel), V (keys, D) -> (keys, padded D), Q (rows, D) -> strips (D, strip rows),
// state -> out (rows, D), lse (rows).
#include "kernels/attention/tile_pack.hpp"

#include <algorithm>

#include "kernels/attention/pair_pack.hpp"
#include "kernels/attention/softmax_state.hpp"

namespace bench::attention {
namespace {

/// Panels of any engine fit when keys are rounded up to the widest one (48 keys).
constexpr std::int64_t kWidestPanel = 48;
/// Head elements transposed at a time: their destination rows stay in L1.
constexpr std::int64_t kTransposeBlock = 16;

/// One panel of K, (keys, D) -> (D, panel); keys beyond the last become zeros.
template <class T>
void pack_panel(const T* k, std::int64_t keys, std::int64_t head_dim, std::int64_t panel, RealOf<T>* packed) {
  using Real = RealOf<T>;
  if (keys < panel) std::fill_n(packed, head_dim * panel, Real{0});
  for (std::int64_t first = 0; first < head_dim; first += kTransposeBlock) {
    const std::int64_t end = std::min(first + kTransposeBlock, head_dim);
    for (std::int64_t j = 0; j < keys; ++j)
      for (std::int64_t d = first; d < end; ++d)
        packed[d * panel + j] = static_cast<Real>(load(k[j * head_dim + d]));
  }
}

template <class T>
void pack_values(const T* v, std::int64_t keys, std::int64_t head_dim, RealOf<T>* packed) {
  using Real = RealOf<T>;
  const std::int64_t padded = round_up(head_dim, kMaxLanes);
  for (std::int64_t j = 0; j < keys; ++j) {
    Real* row = packed + j * padded;
    for (std::int64_t d = 0; d < head_dim; ++d) row[d] = static_cast<Real>(load(v[j * head_dim + d]));
    for (std::int64_t d = head_dim; d < padded; ++d) row[d] = Real{0};
  }
}

/// Calls visit(head, first key, keys) for every panel; the threads of the region share them and meet at the end.
template <class Visit>
void for_each_panel(std::int64_t heads, std::int64_t keys, std::int64_t panel, Visit&& visit) {
  const std::int64_t panels = ceil_div(keys, panel);
#pragma omp for schedule(static)
  for (std::int64_t i = 0; i < heads * panels; ++i) {
    const std::int64_t first = i % panels * panel;
    visit(i / panels, first, std::min(panel, keys - first));
  }
}

/// pack_share for engines of pairs; a panel holds whole pairs of keys.
void pack_share_pairs(const PackedShare<float>& share, const Bf16* k, const Bf16* v, std::int64_t heads,
                      std::int64_t keys, std::int64_t head_dim, const TileEngine<float>& engine) {
  for_each_panel(heads, keys, engine.panel, [&](std::int64_t head, std::int64_t first, std::int64_t count) {
    const std::int64_t source = (head * keys + first) * head_dim;
    pack_panel_pairs(k + source, count, head_dim, engine.panel,
                     share.k + head * share.k_stride + first * engine.depth(head_dim));
    pack_value_pairs(v + source, count, head_dim,
                     share.v + head * share.v_stride + first / 2 * round_up(head_dim, kMaxLanes));
  });
}

}  // namespace

template <class Real>
StateArrays<Real> StateArrays<Real>::carve(Carver& carver, std::int64_t rows, std::int64_t head_dim) {
  StateArrays state;
  state.max = carver.take<Real>(rows);
  state.sum = carver.take<Real>(rows);
  state.acc = carver.take<Real>(rows * round_up(head_dim, kMaxLanes));
  return state;
}

template <class Real>
RowScratch<Real> RowScratch<Real>::carve(Carver& carver, std::int64_t head_dim) {
  RowScratch scratch;
  scratch.q = carver.take<Real>(kQueryBlock * head_dim);
  scratch.scores = carver.take<Real>(kMaxStripRows * kScoreStride);
  scratch.visible = carver.take<std::int64_t>(kQueryBlock);
  return scratch;
}

template <class Real>
QueryRows<Real> query_rows(const RowScratch<Real>& scratch, const StateArrays<Real>& state,
                           std::int64_t first_state_row, std::int64_t rows, std::int64_t head_dim) {
  return {.rows = rows,
          .q = scratch.q,
          .visible = scratch.visible,
          .max = state.max + first_state_row,
          .sum = state.sum + first_state_row,
          .acc = state.acc + first_state_row * round_up(head_dim, kMaxLanes)};
}

template <class Real>
PackedShare<Real> PackedShare<Real>::carve(Carver& carver, std::int64_t heads, std::int64_t keys,
                                           std::int64_t head_dim, bool values_in_place) {
  PackedShare share;
  share.k_stride = round_up(round_up(keys, kWidestPanel) * head_dim, kMaxLanes);
  share.v_stride = values_in_place ? 0 : keys * round_up(head_dim, kMaxLanes);
  share.k = carver.take<Real>(heads * share.k_stride);
  if (!values_in_place) share.v = carver.take<Real>(heads * share.v_stride);
  return share;
}

template <class T>
void pack_share(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t heads,
                std::int64_t keys, std::int64_t head_dim, std::int64_t panel) {
  for_each_panel(heads, keys, panel, [&](std::int64_t head, std::int64_t first, std::int64_t count) {
    const std::int64_t source = (head * keys + first) * head_dim;
    pack_panel(k + source, count, head_dim, panel, share.k + head * share.k_stride + first * head_dim);
    if (share.v != nullptr)
      pack_values(v + source, count, head_dim,
                  share.v + head * share.v_stride + first * round_up(head_dim, kMaxLanes));
  });
}

template <class T>
void pack_share(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t heads,
                std::int64_t keys, std::int64_t head_dim, const TileEngine<RealOf<T>>& engine) {
  if constexpr (std::is_same_v<T, Bf16>) {
    if (engine.pairs) return pack_share_pairs(share, k, v, heads, keys, head_dim, engine);
  }
  pack_share(share, k, v, heads, keys, head_dim, engine.panel);
}

template <class T>
KvPanels<RealOf<T>> head_panels(const PackedShare<RealOf<T>>& share, const T* v, std::int64_t head,
                                std::int64_t keys, std::int64_t head_dim) {
  KvPanels<RealOf<T>> panels;
  panels.k = share.k + head * share.k_stride;
  panels.v_stride = round_up(head_dim, kMaxLanes);
  panels.keys = keys;
  if constexpr (std::is_same_v<T, RealOf<T>>) panels.v = v + head * keys * head_dim;
  if (share.v != nullptr) panels.v = share.v + head * share.v_stride;
  return panels;
}

template <class T>
void pack_queries(const T* q, std::int64_t rows, std::int64_t head_dim, std::int64_t strip_rows, double scale,
                  RealOf<T>* packed) {
  using Real = RealOf<T>;
  const auto factor = static_cast<Real>(scale);
  for (std::int64_t first = 0; first < rows; first += strip_rows, packed += strip_rows * head_dim) {
    const std::int64_t count = std::min(strip_rows, rows - first);
    if (count < strip_rows) std::fill_n(packed, strip_rows * head_dim, Real{0});
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t d = 0; d < head_dim; ++d)
        packed[d * strip_rows + r] = static_cast<Real>(load(q[(first + r) * head_dim + d])) * factor;
  }
}

template <class T>
RealOf<T> pack_queries(const T* q, std::int64_t rows, std::int64_t head_dim,
                       const TileEngine<RealOf<T>>& engine, double scale, RealOf<T>* packed) {
  if constexpr (std::is_same_v<T, Bf16>) {
    if (engine.pairs) {
      pack_query_pairs(q, rows, head_dim, engine.rows, packed);
      return static_cast<float>(scale);
    }
  }
  pack_queries(q, rows, head_dim, engine.rows, scale, packed);
  return RealOf<T>{1};
}

template <class Real>
void clear_state(const QueryRows<Real>& rows, std::int64_t padded_rows, std::int64_t head_dim) {
  const SoftmaxState<Real> empty;
  std::fill_n(rows.max, padded_rows, empty.max);
  std::fill_n(rows.sum, padded_rows, empty.sum);
  std::fill_n(rows.acc, padded_rows * round_up(head_dim, kMaxLanes), Real{0});
}

template <class T>
void finish_rows(const QueryRows<RealOf<T>>& rows, std::int64_t head_dim, T* out, RealOf<T>* lse) {
  const std::int64_t padded = round_up(head_dim, kMaxLanes);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const SoftmaxState<RealOf<T>> state{rows.max[r], rows.sum[r]};
    const RealOf<T> factor = state.normaliser();
    for (std::int64_t d = 0; d < head_dim; ++d)
      out[r * head_dim + d] = store<T>(rows.acc[r * padded + d] * factor);
    lse[r] = state.log_sum_exp();
  }
}

template struct PackedShare<float>;
template struct PackedShare<double>;
template struct StateArrays<float>;
template struct StateArrays<double>;
template struct RowScratch<float>;
template struct RowScratch<double>;
template QueryRows<float> query_rows(const RowScratch<float>&, const StateArrays<float>&, std::int64_t,
                                     std::int64_t, std::int64_t);
template QueryRows<double> query_rows(const RowScratch<double>&, const StateArrays<double>&, std::int64_t,
                                      std::int64_t, std::int64_t);
template void clear_state(const QueryRows<float>&, std::int64_t, std::int64_t);
template void clear_state(const QueryRows<double>&, std::int64_t, std::int64_t);

#define BS_INSTANTIATE(T)                                                                                 \
  template void pack_share(const PackedShare<RealOf<T>>&, const T*, const T*, std::int64_t, std::int64_t, \
                           std::int64_t, std::int64_t);                                                   \
  template KvPanels<RealOf<T>> head_panels(const PackedShare<RealOf<T>>&, const T*, std::int64_t,         \
                                           std::int64_t, std::int64_t);                                   \
  template void pack_share(const PackedShare<RealOf<T>>&, const T*, const T*, std::int64_t, std::int64_t, \
                           std::int64_t, const TileEngine<RealOf<T>>&);                                   \
  template RealOf<T> pack_queries(const T*, std::int64_t, std::int64_t, const TileEngine<RealOf<T>>&,     \
                                  double, RealOf<T>*);                                                    \
  template void pack_queries(const T*, std::int64_t, std::int64_t, std::int64_t, double, RealOf<T>*);     \
  template void finish_rows(const QueryRows<RealOf<T>>&, std::int64_t, T*, RealOf<T>*)
BS_INSTANTIATE(double);
BS_INSTANTIATE(float);
BS_INSTANTIATE(Bf16);
BS_INSTANTIATE(F16);
#undef BS_INSTANTIATE

}  // namespace bench::attention
