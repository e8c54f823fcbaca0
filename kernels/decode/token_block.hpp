// SPDX-License-Identifier: Apache-2.0
// The block primitive of paged_cpu: up to kBlockTokens cached tokens of one sequence, wherever their pages
// lie, meet the query heads of some key/value heads, and the online softmax state of each head goes on.
//
// Three passes: scores of the whole block, their weights, outputs. Within a pass kGroupTokens tokens at a
// time go through all heads, so that memory is read nearly as it lies: a token's row is contiguous over
// heads, and so few rows at once are what hardware prefetchers can follow. (Head by head over the whole
// block, 16-bit rows came at less than half the rate of memory.) The group to come, which may lie in any
// page, is asked for meanwhile, a few lines at a time: a burst of requests waits for itself. A row serves all
// query heads of its group from registers, or from L2 if they are more than 8.
//
// Real is the type of arithmetic and state: double for fp64 tensors, float for all others.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>

#include "kernels/isa.hpp"
#include "src/core/dtype.hpp"

namespace bench::decode {

template <class T>
using RealOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// Tokens of a block: enough that the state's part of the work (maxima, rescaling) is small. With 64 it was
/// an eighth for groups of 8 heads.
inline constexpr std::int64_t kBlockTokens = 128;
/// Tokens that go through all heads together: a multiple of every engine's lanes.
inline constexpr std::int64_t kGroupTokens = 16;
/// Rows of q and of outputs are padded to whole vectors of the widest engine.
inline constexpr std::int64_t kMostLanes = 16;

template <class T>
struct BlockArgs {
  using Real = RealOf<T>;
  const T* k;  // the first key/value head in slot 0 of page 0
  const T* v;  // the same of the values
  const std::int64_t*
      offset;           // (kBlockTokens + kGroupTokens): where tokens' rows begin, elements; behind `tokens`
                        // rows that may be read but do not count; the last ones are fetched only
  std::int64_t tokens;  // 1..kBlockTokens
  std::int64_t kv_heads;  // of this call, contiguous in a row
  std::int64_t group;     // query heads per key/value head
  std::int64_t head_dim;  // D
  std::int64_t stride;    // D padded: from one row of acc to the next
  const Real* q;          // (kv_heads, group * stride), times log2(e) / sqrt(D), zeros behind D; query_place
  Real* max;              // (kv_heads * group)
  Real* sum;              // (kv_heads * group)
  Real* acc;              // (kv_heads * group, stride)
  Real* scores;           // scratch (kv_heads * group, kBlockTokens)
};

/// A pass over the block for some query heads of every group, from the `first` one of each on.
template <class T>
using Pass = void (*)(const BlockArgs<T>& args, std::int64_t first);
/// Passes by log2 of the number of query heads that share a row in registers: 1, 2, 4, 8; null where an
/// instruction set has too few registers for that many.
inline constexpr int kTileSizes = 4;
template <class T>
struct Passes {
  std::array<Pass<T>, kTileSizes> score{};  // scores <- q k
  Pass<T> weigh = nullptr;  // scores <- 2^(score - max), state and acc to match; all query heads
  std::array<Pass<T>, kTileSizes> add{};  // acc += weights v
};

/// The primitive for one instruction set, by element type.
struct BlockEngine {
  Isa isa = Isa::plain;
  std::int64_t lanes = 0;  // fp32
  std::tuple<Passes<double>, Passes<float>, Passes<Bf16>, Passes<F16>> passes;
};

/// Where element d of a row stands in q and acc: bf16 rows are widened to their even elements and then their
/// odd ones, two vectors at a time, as far as those are whole.
template <class T>
std::int64_t place_of(const BlockEngine& engine, std::int64_t head_dim, std::int64_t d) {
  const std::int64_t two = 2 * engine.lanes, begin = d / two * two;
  if (!std::is_same_v<T, Bf16> || begin + two > head_dim) return d;
  return begin + d % 2 * engine.lanes + d % two / 2;
}

/// Where element d of query head g stands in q's row of its group: heads side by side vector by vector, so
/// that a tile of them is read from one address on.
template <class T>
std::int64_t query_place(const BlockEngine& engine, std::int64_t head_dim, std::int64_t group, std::int64_t g,
                         std::int64_t d) {
  const std::int64_t lanes = engine.lanes * std::int64_t{sizeof(float)} / std::int64_t{sizeof(RealOf<T>)};
  const std::int64_t place = place_of<T>(engine, head_dim, d);
  return (place / lanes * group + g) * lanes + place % lanes;
}

template <class T>
void attend_block(const BlockEngine& engine, const BlockArgs<T>& args);

/// All engines that this processor can run, the plain one first; for tests.
std::span<const BlockEngine> block_engines();
/// The engine for rows of D elements: the widest whose vectors divide D, since ends of rows are read element
/// by element; the widest of all if none does. Or the one that a test asked for.
const BlockEngine& block_engine(std::int64_t head_dim);
/// Makes kernels use this engine from here on; null: block_engine's own choice again. For tests.
void force_block_engine(const BlockEngine* engine);

}  // namespace bench::decode
