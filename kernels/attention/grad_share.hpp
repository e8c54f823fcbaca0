// SPDX-License-Identifier: Apache-2.0
// The backward pass of a rank's query rows against one share of keys and values, whole heads at a time: what
// flash_tiled_bwd_cpu does once and ring_bwd_cpu once a hop.
//
// Two ways through the blocks, chosen by which finishes first. One pass: a thread owns a key/value head and
// all that its rows add to dK, dV and dQ; five products a block. Two passes, where there are too few heads
// for the threads: threads share the blocks of keys for dK and dV, then the blocks of rows for dQ; the scores
// and dP are computed twice, seven products a block. No two threads ever add to the same row, and both ways
// add in the same order, so the bits depend neither on the way nor on the number of threads.
#pragma once

#include <cstdint>

#include "kernels/attention/carve.hpp"
#include "kernels/attention/grad_tile.hpp"
#include "kernels/attention/tile_pack.hpp"
#include "src/core/link.hpp"

namespace bench::attention {

struct GradShape {
  std::int64_t heads = 0;     // B * H
  std::int64_t kv_heads = 0;  // B * Hkv
  std::int64_t rows = 0;      // query rows of a head on this rank
  std::int64_t head_dim = 0;  // D
  std::int64_t threads = 1;
  double scale = 1.0;          // 1 / sqrt(D)
  double softcap = 0.0;        // c of capped scores; 0: as they are
  std::int64_t sequences = 1;  // that see keys of their own: B where keys are padded, else 1
  bool hides_first_keys = false;

  std::int64_t group() const { return heads / kv_heads; }
};

/// Packed rows with their sums, and room for one packed share of keys and values.
template <class Real>
struct GradWorkspace {
  const GradEngine<Real>* engine = &grad_engine<Real>();
  std::int64_t row_stride = 0;      // rows of a head, whole strips of any engine
  Real* q = nullptr;                // (heads, row_stride, D) in strips, times log2(e) / sqrt(D)
  Real* dout = nullptr;             // (heads, row_stride, D) in strips
  Real* q_rows = nullptr;           // (heads, row_stride, grad_row_stride(D))
  Real* dout_rows = nullptr;        // (heads, row_stride, grad_row_stride(D))
  Real* lse = nullptr;              // (heads, row_stride), in units of log2
  Real* delta = nullptr;            // (heads, row_stride)
  Real* dq = nullptr;               // (heads, row_stride, padded D) in strips, sums times sqrt(D)
  PackedShare<Real> keys;           // K and V in Real, where they are not
  std::int64_t* visible = nullptr;  // (sequences, row_stride): keys of the share a row may see, ascending
  std::int64_t* hidden = nullptr;   // like visible: of these, as many are left of what it sees; null: no first ones are hidden
  Slices scratch;                   // a thread's block in flight

  /// Room for up to shape.rows rows and `keys` keys; `in_place`: K and V are read where they lie
  /// (kReadInPlace<T>).
  static GradWorkspace carve(Carver& carver, const GradShape& shape, std::int64_t keys, bool in_place);
};

/// A rank's share of what the backward pass reads: q, dout, out (heads, rows, D) and lse (heads, rows). Rows
/// that come from elsewhere bring delta (heads, rows) instead of out.
template <class T>
struct GradRows {
  const T* q;
  const T* dout;
  const T* out;
  const RealOf<T>* lse;
  const RealOf<T>* delta = nullptr;  // null: from out
};

/// delta (heads, rows) = dout . out, both (heads, rows, D).
template <class T>
void row_deltas(const GradShape& shape, const T* dout, const T* out, RealOf<T>* delta);

/// Packs the rows, computes delta where it is not given, and clears the sums of dQ.
template <class T>
void begin_rows(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, const GradRows<T>& rows);

/// Adds what `keys` keys of every head, k and v (kv_heads, keys, D), give to dQ and writes what the rows give
/// to dk and dv (kv_heads, keys, D), which is zero where no row sees a key. work.visible (and hidden) must be
/// set. Between blocks the first thread lets `link` make progress; null: no link.
template <class T, class Out>
void add_share(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, const T* k, const T* v,
               std::int64_t keys, Out* dk, Out* dv, Link* link);

/// Writes dq (heads, rows, D).
template <class T>
void finish_dq(const GradWorkspace<RealOf<T>>& work, const GradShape& shape, T* dq);

}  // namespace bench::attention
