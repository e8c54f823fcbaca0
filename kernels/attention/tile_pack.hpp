// SPDX-License-Identifier: Apache-2.0
// From tensors to the layouts that the strip kernel reads, and from its state back to tensors. Each element
// is touched once; the element type T (double, float, Bf16, F16) is widened here and nowhere else, so the
// strip kernel knows two types only.
#pragma once

#include <cstdint>

#include "kernels/attention/carve.hpp"
#include "kernels/attention/tile.hpp"
#include "src/core/dtype.hpp"

namespace bench::attention {

/// Softmax state of `rows` query rows, in three arrays.
template <class Real>
struct StateArrays {
  Real* max = nullptr;
  Real* sum = nullptr;
  Real* acc = nullptr;  // strips of (padded D, strip rows)

  static StateArrays carve(Carver& carver, std::int64_t rows, std::int64_t head_dim);
};

/// What one thread needs while a query block is in flight, besides the state.
template <class Real>
struct RowScratch {
  Real* q = nullptr;
  Real* scores = nullptr;
  std::int64_t* visible = nullptr;
  std::int64_t* hidden = nullptr;

  static RowScratch carve(Carver& carver, std::int64_t head_dim);
};

/// `rows` query rows (at most kQueryBlock) in strips of `strip`, that use `scratch` and the state from row
/// `first_state_row` on, which begins a strip.
template <class Real>
QueryRows<Real> query_rows(const RowScratch<Real>& scratch, const StateArrays<Real>& state,
                           std::int64_t first_state_row, std::int64_t rows, std::int64_t head_dim,
                           std::int64_t strip);

/// Whether tensors of element type T are what engines read: their K and V need no copy.
template <class T>
inline constexpr bool kReadInPlace = std::is_same_v<T, RealOf<T>>;

/// Keys and values of all (batch, kv head) pairs of one block, as engines read them.
template <class Real>
struct PackedShare {
  Real* k = nullptr;  // (heads, k_stride); null, like v: read where they lie
  Real* v = nullptr;  // (heads, v_stride)
  std::int64_t k_stride = 0;
  std::int64_t v_stride = 0;

  /// Room for `heads` heads of up to `keys` keys, for any engine; none when `in_place`.
  static PackedShare carve(Carver& carver, std::int64_t heads, std::int64_t keys, std::int64_t head_dim,
                           bool in_place);
};

/// Converts k and v, both (heads, keys, D), where T needs it. Called by every thread of a parallel region,
/// which shares the work; ends with a barrier.
template <class T>
void pack_share(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t heads,
                std::int64_t keys, std::int64_t head_dim, bool pairs);

/// What attend_block takes for one head of a share; k, v and pairs as given to pack_share.
template <class T>
KvRows<RealOf<T>> head_rows(const PackedShare<RealOf<T>>& share, const T* k, const T* v, std::int64_t head,
                            std::int64_t keys, std::int64_t head_dim, bool pairs);

/// q (rows, D) -> strips of (D, strip_rows), times `scale`; missing rows of the last strip become zeros.
template <class T>
void pack_queries(const T* q, std::int64_t rows, std::int64_t head_dim, std::int64_t strip_rows, double scale,
                  RealOf<T>* packed);

/// The same in the layout of `engine`. Returns what the scores are still to be multiplied by
/// (QueryRows::scale): 1, or `scale` for an engine of pairs, whose bf16 queries must not be rounded again.
template <class T>
RealOf<T> pack_queries(const T* q, std::int64_t rows, std::int64_t head_dim,
                       const TileEngine<RealOf<T>>& engine, double scale, RealOf<T>* packed);

/// Sets the state of `padded_rows` rows to "no key seen".
template <class Real>
void clear_state(const QueryRows<Real>& rows, std::int64_t padded_rows, std::int64_t head_dim);

/// Normalises: out (rows, D) and lse (rows).
template <class T>
void finish_rows(const QueryRows<RealOf<T>>& rows, std::int64_t head_dim, T* out, RealOf<T>* lse);

}  // namespace bench::attention
