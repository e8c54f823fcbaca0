// SPDX-License-Identifier: Apache-2.0
// The block primitive of the CPU kernels: query rows of one head meet one block of keys and values, and the
// online softmax state (max, sum, unnormalised output) is carried from block to block. flash_tiled_cpu walks
// the blocks of its own memory, ring_cpu those that arrive from other ranks; both run this code, so a rank of
// a ring is as fast as the single-rank kernel.
//
// Causality enters as `visible`: how many of a block's keys, counted from its first, a row may see. Positions
// ascend on every rank in every layout, so what a row sees of any block is a prefix, and one rule covers
// contiguous, zigzag, striped and ragged shares.
//
// Real is the type of arithmetic and state: double for fp64 tensors, float for all others.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "kernels/rounding.hpp"

namespace bench::attention {

template <class T>
using RealOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Keys that one pass of the strip kernel takes: their scores (8 rows, 12 KB) stay in L1, their K and V (D =
/// 64: 196 KB) in L2.
inline constexpr std::int64_t kKeyBlock = 384;
/// Query rows that share a key block while it is in cache; a multiple of every engine's strip (8, 6, 4 rows).
inline constexpr std::int64_t kQueryBlock = 96;
/// Packed rows are padded to whole vectors of the widest engine.
inline constexpr std::int64_t kMaxLanes = 16;
/// Row stride of the score scratch: off the power of two, so that rows do not share cache sets.
inline constexpr std::int64_t kScoreStride = kKeyBlock + kMaxLanes;
inline constexpr std::int64_t kMaxStripRows = 8;

/// One strip of query rows against at most kKeyBlock keys.
template <class Real>
struct StripArgs {
  const Real* q;                // (depth, rows): transposed and, by engines without pairs, scaled
  const Real* k;                // (panels, depth, panel)
  const Real* v;                // (keys, v_stride)
  std::int64_t v_stride;        // >= padded_dim
  std::int64_t depth;           // D, or the pairs in it
  std::int64_t padded_dim;      // D rounded up to kMaxLanes
  const std::int64_t* visible;  // (rows), ascending, 0..kKeyBlock, the last one >= 1
  Real* max;                    // (rows)
  Real* sum;                    // (rows)
  Real* acc;                    // (rows, padded_dim)
  Real* scores;                 // scratch (kMaxStripRows, kScoreStride)
  Real scale;                   // of the scores: log2(e) / sqrt(D) for engines of pairs, else q has it
};

/// The strip kernel of one instruction set.
template <class Real>
struct TileEngine {
  std::string_view isa;
  std::int64_t rows;   // query rows a strip, divides kQueryBlock
  std::int64_t panel;  // keys a panel of packed K, divides kKeyBlock
  void (*attend_strip)(const StripArgs<Real>&);
  /// Packed q, k and v hold words of two bf16: q and k of two head elements, v of two keys.
  bool pairs = false;

  /// Words of a packed row of q or k.
  std::int64_t depth(std::int64_t head_dim) const { return pairs ? (head_dim + 1) / 2 : head_dim; }
  /// Packed rows of v that so many keys take.
  std::int64_t value_rows(std::int64_t keys) const { return pairs ? (keys + 1) / 2 : keys; }
};

/// The best engine that this processor can run, chosen once. Real: float or double.
template <class Real>
const TileEngine<Real>& tile_engine();
/// The best engine for tensors of type T: that of its Real, or for bf16 the one of pairs where that is faster
/// (has_fast_bf16_dot).
template <class T>
const TileEngine<RealOf<T>>& tile_engine_for();
/// The engine of pairs; null on a processor that cannot run it. For tests.
const TileEngine<float>* pair_engine();
/// All engines that this processor can run, the plain one first; for tests.
template <class Real>
std::span<const TileEngine<Real>> tile_engines();

/// Packed keys and values of one head.
template <class Real>
struct KvPanels {
  const Real* k = nullptr;
  const Real* v = nullptr;
  std::int64_t v_stride = 0;
  std::int64_t keys = 0;
};

/// Up to kQueryBlock query rows of one head and their state. `rows` counts real rows; the arrays hold
/// round_up(rows, engine.rows).
template <class Real>
struct QueryRows {
  std::int64_t rows = 0;
  const Real* q = nullptr;                // strips of (engine.depth(D), engine.rows)
  Real scale = Real{1};                   // what the scores of q are still to be multiplied by
  const std::int64_t* visible = nullptr;  // (padded rows), ascending: keys of the block each row may see
  Real* max = nullptr;
  Real* sum = nullptr;
  Real* acc = nullptr;  // (padded rows, padded_dim)
};

/// Adds a block of keys to the rows' state. Pairs that `visible` rules out are never read; whole strips and
/// key blocks are skipped.
template <class Real>
void attend_block(const TileEngine<Real>& engine, const QueryRows<Real>& rows, const KvPanels<Real>& kv,
                  std::int64_t head_dim, Real* scores);

}  // namespace bench::attention
