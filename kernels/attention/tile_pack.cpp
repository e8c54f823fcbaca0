// SPDX-License-Identifier: Apache-2.0
// K and V in the engine's type, Q (rows, D) -> strips (D, strip rows), state -> out (rows, D), lse (rows).
#include "kernels/attention/tile_pack.hpp"

#include <algorithm>

#include "kernels/attention/pair_pack.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/transpose.hpp"

namespace bench::attention {
namespace {

/// Keys that a thread converts at a time.
constexpr std::int64_t kPiece = 64;

template <class T>
void widen(const T* from, std::int64_t count, RealOf<T>* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<RealOf<T>>(load(from[i]));
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
  scratch.scores = carver.take<Real>(kMaxStripRows * kScoreKeys);
  scratch.visible = carver.take<std::int64_t>(kQueryBlock);
  scratch.hidden = carver.take<std::int64_t>(kQueryBlock);
  return scratch;
}

template <class Real>
QueryRows<Real> query_rows(const RowScratch<Real>& scratch, const StateArrays<Real>& state,
                           std::int64_t first_state_row, std::int64_t rows, std::int64_t head_dim,
                           std::int64_t strip) {
  return {.rows = rows,
          .strip = strip,
          .q = scratch.q,
          .visible = scratch.visible,
          .max = state.max + first_state_row,
          .sum = state.sum + first_state_row,
          .acc = state.acc + first_state_row * round_up(head_dim, kMaxLanes)};
}

template <class Real>
PackedShare<Real> PackedShare<Real>::carve(Carver& carver, std::int64_t heads, std::int64_t keys,
                                           std::int64_t head_dim, bool in_place) {
  PackedShare share;
  if (in_place) return share;
  share.k_stride = share.v_stride = round_up(keys * head_dim, kMaxLanes);
  share.k = carver.take<Real>(heads * share.k_stride);
  share.v = carver.take<Real>(heads * share.v_stride);
  return share;
}

template <class T>
void pack_share(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t heads,
                std::int64_t keys, std::int64_t head_dim, bool pairs) {
  if constexpr (!kReadInPlace<T>) {
    const std::int64_t pieces = ceil_div(keys, kPiece);
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < heads * pieces; ++i) {
      const std::int64_t head = i / pieces, first = i % pieces * kPiece,
                         count = std::min(kPiece, keys - first);
      const std::int64_t from = (head * keys + first) * head_dim;
      RealOf<T>*const k_to = share.k + head * share.k_stride, *const v_to = share.v + head * share.v_stride;
      if constexpr (std::is_same_v<T, Bf16>) {
        if (pairs) {
          pack_key_pairs(k + from, count, head_dim, k_to + first * ((head_dim + 1) / 2));
          pack_value_pairs(v + from, count, head_dim, v_to + first / 2 * head_dim);
          continue;
        }
      }
      widen(k + from, count * head_dim, k_to + first * head_dim);
      widen(v + from, count * head_dim, v_to + first * head_dim);
    }
  }
}

template <class T>
KvRows<RealOf<T>> head_rows(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t head,
                            std::int64_t keys, std::int64_t head_dim, bool pairs) {
  KvRows<RealOf<T>> rows;
  rows.k_stride = pairs ? (head_dim + 1) / 2 : head_dim;
  rows.v_stride = head_dim;
  rows.keys = keys;
  if constexpr (kReadInPlace<T>) {
    rows.k = k + head * keys * head_dim;
    rows.v = v + head * keys * head_dim;
  } else {
    rows.k = share.k + head * share.k_stride;
    rows.v = share.v + head * share.v_stride;
  }
  return rows;
}

template <class T>
void pack_queries(const T* q, std::int64_t rows, std::int64_t head_dim, std::int64_t strip_rows, double scale,
                  RealOf<T>* packed) {
  using Real = RealOf<T>;
  const auto factor = static_cast<Real>(scale);
  for (std::int64_t first = 0; first < rows; first += strip_rows, packed += strip_rows * head_dim) {
    const std::int64_t count = std::min(strip_rows, rows - first);
    if (count < strip_rows) std::fill_n(packed, strip_rows * head_dim, Real{0});
    transpose(q + first * head_dim, head_dim, count, head_dim, &factor, 0, packed, strip_rows);
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
  using Real = RealOf<T>;
  for (std::int64_t first = 0; first < rows.rows; first += rows.strip) {
    const std::int64_t count = std::min(rows.strip, rows.rows - first);
    Real factor[kMaxStripRows];
    for (std::int64_t r = 0; r < count; ++r) {
      const SoftmaxState<Real> state{rows.max[first + r], rows.sum[first + r]};
      factor[r] = state.normaliser();
      lse[first + r] = state.log_sum_exp();
    }
    transpose(rows.output(first, head_dim), rows.strip, head_dim, count, factor, 1, out + first * head_dim,
              head_dim);
  }
}

template struct PackedShare<float>;
template struct PackedShare<double>;
template struct StateArrays<float>;
template struct StateArrays<double>;
template struct RowScratch<float>;
template struct RowScratch<double>;
template QueryRows<float> query_rows(const RowScratch<float>&, const StateArrays<float>&, std::int64_t,
                                     std::int64_t, std::int64_t, std::int64_t);
template QueryRows<double> query_rows(const RowScratch<double>&, const StateArrays<double>&, std::int64_t,
                                      std::int64_t, std::int64_t, std::int64_t);
template void clear_state(const QueryRows<float>&, std::int64_t, std::int64_t);
template void clear_state(const QueryRows<double>&, std::int64_t, std::int64_t);

#define BS_INSTANTIATE(T)                                                                                 \
  template void pack_share(const PackedShare<RealOf<T>>&, const T*, const T*, std::int64_t, std::int64_t, \
                           std::int64_t, bool);                                                           \
  template KvRows<RealOf<T>> head_rows(const PackedShare<RealOf<T>>&, const T*, const T*, std::int64_t,   \
                                       std::int64_t, std::int64_t, bool);                                 \
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
