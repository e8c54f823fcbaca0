// SPDX-License-Identifier: Apache-2.0
// A share of query rows meets a share of keys and values, both of any rank: the compute step of every
// distributed variant. The softmax state is carried between calls, so the shares may come in any order and in
// any number; tiles run flash_tiled_cpu's code, so a rank is as fast as the single-rank kernel.
//
// Masking is by global positions, which ascend in every share: what a row sees of a share is a prefix of it,
// and one rule covers contiguous, zigzag, striped and ragged shares.
//
// T is the tensors' element type, Real that of arithmetic and state (RealOf<T>). All sizes are those of the
// problem's shares; nothing here allocates.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/tile_pack.hpp"
#include "src/core/link.hpp"

namespace bench::attention {

using Positions = std::span<const std::int64_t>;

/// q (B, H, n, D) at n ascending global positions.
template <class T>
struct QueryShare {
  const T* q = nullptr;
  Positions positions;
};

/// k and v, each (B, Hkv, n, D), at n ascending global positions.
template <class T>
struct KeyShare {
  const T* k = nullptr;
  const T* v = nullptr;
  Positions positions;
};

/// Softmax states of the rows of one query share, every (batch, head).
template <class Real>
struct ShareState {
  StateArrays<Real> arrays;
  std::int64_t head_rows = 0;  // rows from one head to the next: the longest share in whole strips

  /// Room for shares of up to `longest` rows.
  static ShareState carve(Carver& carver, const AttentionProblem& p, std::int64_t longest);
};

/// Packed keys of the share at hand and what each thread needs.
template <class Real>
struct ShareScratch {
  PackedShare<Real> panels;
  Slices threads;  // a RowScratch each

  /// Room for shares of up to `longest` keys. T decides whether values are packed or read in place.
  template <class T>
  static ShareScratch carve(Carver& carver, const AttentionProblem& p, std::int64_t longest);
};

/// False when there is no pair to compute: a share is empty, or the future hides all of it.
bool sees_any(const AttentionProblem& p, Positions queries, Positions keys);

/// Sets the states of `rows` rows a head to "no key seen".
template <class Real>
void clear_share(const AttentionProblem& p, const ShareState<Real>& state, std::int64_t rows);

/// Packs a share for attend_share.
template <class T>
void pack_keys(const AttentionProblem& p, const ShareScratch<RealOf<T>>& scratch, const KeyShare<T>& keys);

/// Adds the packed `keys` to the states of the queries. Work: 4 D flops and one exponential a visible pair
/// and head. The link gets its turn between query blocks, from the calling thread.
template <class T>
void attend_share(const AttentionProblem& p, const ShareScratch<RealOf<T>>& scratch,
                  const QueryShare<T>& queries, const KeyShare<T>& keys, const ShareState<RealOf<T>>& state,
                  Link& link);

/// Normalises: out (B, H, rows, D) and lse (B, H, rows). Rows that saw no key: 0 and minus infinity.
template <class Out>
void finish_share(const AttentionProblem& p, const ShareState<RealOf<Out>>& state, std::int64_t rows,
                  Out* out, RealOf<Out>* lse);

/// Adds what finish_share<Real> made of other keys of the same rows. Rows with lse minus infinity add
/// nothing.
template <class Real>
void merge_share(const AttentionProblem& p, const ShareState<Real>& state, std::int64_t rows, const Real* out,
                 const Real* lse);

}  // namespace bench::attention
