// SPDX-License-Identifier: Apache-2.0
// The block primitive of the CPU kernels: query rows of one head meet one block of keys and values, and the
// online softmax state (max, sum, unnormalised output) is carried from block to block. flash_tiled_cpu walks
// the blocks of its own memory, ring_cpu those that arrive from other ranks; both run this code, so a rank of
// a ring is as fast as the single-rank kernel.
//
// Causality enters as `visible`: how many of a block's keys, counted from its first, a row may see. Positions
// ascend on every rank in every layout, so what a row sees of any block is a prefix, and one rule covers
// contiguous, zigzag, striped and ragged shares. A sliding window hides the first keys of that prefix:
// `hidden`.
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

/// Keys that one pass of the strip kernel takes: their K and V (D = 64: 196 KB) stay in L2 while the strips
/// of a query block come by.
inline constexpr std::int64_t kKeyBlock = 384;
/// Keys whose scores are in flight at once: with the widest strip (48 rows, fp32) 24 KB, in L1 beside Q.
inline constexpr std::int64_t kScoreKeys = 128;
/// Query rows that share a key block while it is in cache; a multiple of every engine's strip.
inline constexpr std::int64_t kQueryBlock = 96;
/// Rows of acc are padded to whole tiles of every engine.
inline constexpr std::int64_t kMaxLanes = 16;
inline constexpr std::int64_t kMaxStripRows = 48;
/// Rows of a head's state that are whole strips of any engine (48, 24, 12, 8 or 4 rows).
inline constexpr std::int64_t kStripMultiple = 48;

/// One strip of query rows against at most kKeyBlock keys. Engines of pairs count in words of two bf16.
template <class Real>
struct StripArgs {
  const Real* q;                // (depth, strip rows): transposed and, by engines without pairs, scaled
  const Real* k;                // (keys, k_stride)
  std::int64_t k_stride;        // >= depth
  const Real* v;                // (keys, v_stride)
  std::int64_t v_stride;        // >= head_dim
  std::int64_t depth;           // D, or the pairs in it
  std::int64_t head_dim;        // D
  std::int64_t rows;            // 1..strip rows: those in use
  const std::int64_t* visible;  // (strip rows), ascending, 0..kKeyBlock, the last one >= 1
  const std::int64_t* hidden;   // (strip rows), ascending, >= 0: keys before it are not seen; null: none are
  Real* max;                    // (strip rows)
  Real* sum;                    // (strip rows)
  Real* acc;                    // (padded D, strip rows)
  Real* scores;                 // scratch (kScoreKeys, strip rows)
  Real scale;                   // of the scores: log2(e) / sqrt(D) for engines of pairs, else q has it
  Real softcap;                 // c of capped scores; 0: as they are
};

/// The strip kernel of one instruction set.
template <class Real>
struct TileEngine {
  std::string_view isa;
  std::int64_t rows;  // query rows a strip, divides kQueryBlock
  void (*attend_strip)(const StripArgs<Real>&);
  /// q, k and v hold words of two bf16: q and k of two head elements, v of two keys.
  bool pairs = false;

  /// Words of a row of q or k.
  std::int64_t depth(std::int64_t head_dim) const { return pairs ? (head_dim + 1) / 2 : head_dim; }
  /// Rows of v that so many keys take.
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

/// Keys and values of one head.
template <class Real>
struct KvRows {
  const Real* k = nullptr;  // (keys, k_stride)
  const Real* v = nullptr;  // (keys, v_stride)
  std::int64_t k_stride = 0;
  std::int64_t v_stride = 0;
  std::int64_t keys = 0;
};

/// Up to kQueryBlock query rows of one head and their state. `rows` counts real rows; the arrays hold
/// round_up(rows, strip).
template <class Real>
struct QueryRows {
  std::int64_t rows = 0;
  std::int64_t strip = 0;                 // the engine's rows
  const Real* q = nullptr;                // strips of (engine.depth(D), strip)
  Real scale = Real{1};                   // what the scores of q are still to be multiplied by
  Real softcap = Real{0};                 // c of capped scores; 0: as they are
  const std::int64_t* visible = nullptr;  // (padded rows), ascending: keys of the block each row may see
  const std::int64_t* hidden = nullptr;  // (padded rows), ascending: of these, as many are left of its window
  Real* max = nullptr;
  Real* sum = nullptr;
  Real* acc = nullptr;  // strips of (padded D, strip)

  /// The first element of row r's output; the next ones lie `strip` apart.
  Real* output(std::int64_t r, std::int64_t head_dim) const {
    return acc + r / strip * strip * round_up(head_dim, kMaxLanes) + r % strip;
  }
};

/// Adds a block of keys to the rows' state. Pairs that `visible` rules out are never read; whole strips and
/// key blocks are skipped, left of a window too.
template <class Real>
void attend_block(const TileEngine<Real>& engine, const QueryRows<Real>& rows, const KvRows<Real>& kv,
                  std::int64_t head_dim, Real* scores);

}  // namespace bench::attention
