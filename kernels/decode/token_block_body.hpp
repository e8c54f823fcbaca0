// SPDX-License-Identifier: Apache-2.0
// The body of the block primitive, written once over a vector type V (kernels/simd_math.hpp; for fp64 vectors
// of doubles). Only token_block.cpp includes it, and wraps it in one function per instruction set.
//
// Scores: lanes run along D. A tile of G query heads x N / G tokens has N = lanes sums, which a tree of
// shuffles turns into one vector. Outputs: a tile of G query heads x C vectors of columns takes a weight and
// a row of values a token. G * C and N accumulators fill half the registers.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/decode/lanes.hpp"
#include "kernels/decode/token_block.hpp"

namespace bench::decode {

/// The rows that come after those of head `head`: the same tokens' in the next head, or the next tokens'.
template <class T>
struct Ahead {
  const T* row;
  const std::int64_t* offset;

  BS_INLINE Ahead(const BlockArgs<T>& a, const T* first, std::int64_t head, std::int64_t token) {
    const bool last = head + 1 == a.kv_heads;
    row = last ? first : first + (head + 1) * a.head_dim;
    offset = a.offset + token + (last ? kGroupTokens : 0);
  }
  /// Asks for the lines of elements [begin, end) of row i.
  BS_INLINE void fetch(std::int64_t i, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t d = begin; d < end; d += static_cast<std::int64_t>(64 / sizeof(T)))
      __builtin_prefetch(row + offset[i] + d);
  }
};

/// scores (G, N / G) of one key/value head from the tokens whose rows begin at offset[0 ...].
template <class V, int G, class T>
BS_INLINE V score_tile(const BlockArgs<T>& a, const T* k, const std::int64_t* offset, const RealOf<T>* q) {
  constexpr int N = kLanes<V>, kTokens = N / G;
  const T* key[kTokens];
#pragma GCC unroll 16
  for (int i = 0; i < kTokens; ++i) key[i] = k + offset[i];
  V tile[N] = {};
  const std::int64_t step = a.group * N;  // from one vector of a head's elements to the next
  std::int64_t d = 0;
  for (; d + 2 * N <= a.head_dim; d += 2 * N, q += 2 * step) {
#pragma GCC unroll 16
    for (int i = 0; i < kTokens; ++i) {
      V x, y;
      load_two<V>(key[i] + d, x, y);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) tile[g * kTokens + i] += x * load_row<V>(q + g * N);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) tile[g * kTokens + i] += y * load_row<V>(q + step + g * N);
    }
  }
  if (d + N <= a.head_dim) {
#pragma GCC unroll 16
    for (int i = 0; i < kTokens; ++i) {
      const V x = load_row<V>(key[i] + d);
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) tile[g * kTokens + i] += x * load_row<V>(q + g * N);
    }
  }
  return sums_of<V>(tile);
}

/// The rest of the products where vectors do not divide D, element by element.
template <int N, int G, class T>
void score_ends(const BlockArgs<T>& a, const T* k, std::int64_t t, const RealOf<T>* q, std::int64_t first,
                RealOf<T>* scores) {
  const std::int64_t end = std::min(t + kGroupTokens, a.tokens);
  for (int g = 0; g < G; ++g)
    for (std::int64_t i = t; i < end; ++i)
      for (std::int64_t d = first; d < a.head_dim; ++d)
        scores[g * kBlockTokens + i] += q[(d / N * a.group + g) * N + d % N] * load(k[a.offset[i] + d]);
}

template <class V, int G, class T>
BS_INLINE void score_pass(const BlockArgs<T>& a, std::int64_t first) {
  constexpr int N = kLanes<V>, kTokens = N / G;
  for (std::int64_t t = 0; t < a.tokens; t += kGroupTokens) {
    const T* k = a.k;
    std::int64_t row = first;
    for (std::int64_t head = 0; head < a.kv_heads; ++head, k += a.head_dim, row += a.group) {
      const RealOf<T>* q = a.q + head * a.group * a.stride + first * N;
      RealOf<T>* scores = a.scores + row * kBlockTokens;
      const Ahead<T> ahead(a, a.k, head, t);
      for (std::int64_t i = t; i < t + kGroupTokens; i += kTokens) {
        for (std::int64_t r = i - t; r < i - t + kTokens; ++r) ahead.fetch(r, 0, a.head_dim);
        const V sums = score_tile<V, G>(a, k, a.offset + i, q);
#pragma GCC unroll 8
        for (int g = 0; g < G; ++g)
          std::memcpy(scores + g * kBlockTokens + i, reinterpret_cast<const char*>(&sums) + g * sizeof(V) / G,
                      sizeof(V) / G);
      }
      if (a.head_dim % N != 0) score_ends<N, G>(a, k, t, q, a.head_dim / N * N, scores);
    }
  }
}

/// Scores of every query head become weights; its sum and output so far are scaled to the new maximum.
template <class V, class T>
BS_INLINE void weigh_pass(const BlockArgs<T>& a) {
  using Real = RealOf<T>;
  constexpr int N = kLanes<V>;
  const std::int64_t padded = (a.tokens + N - 1) / N * N;
  for (std::int64_t row = 0; row < a.kv_heads * a.group; ++row) {
    Real* scores = a.scores + row * kBlockTokens;
    for (std::int64_t t = a.tokens; t < padded; ++t) scores[t] = static_cast<Real>(attention::kMaskedScore);
    V most = V{} + a.max[row];
    for (std::int64_t t = 0; t < padded; t += N) most = Largest::of<V>(load_row<V>(scores + t), most);
    const Real max = reduce<V, Largest>(most);
    V sum = {};
    for (std::int64_t t = 0; t < padded; t += N) {
      const V w = exp2_of<V>(load_row<V>(scores + t) - max);
      std::memcpy(scores + t, &w, sizeof w);
      sum += w;
    }
    const Real alpha = exp2_of<V>(V{} + (a.max[row] - max))[0];
    a.max[row] = max;
    a.sum[row] = a.sum[row] * alpha + reduce<V, Sum>(sum);
    for (std::int64_t d = 0; d < a.stride; d += N) {
      const V x = load_row<V>(a.acc + row * a.stride + d) * alpha;
      std::memcpy(a.acc + row * a.stride + d, &x, sizeof x);
    }
  }
}

/// acc[:, column ...] += weights V for G query heads of one key/value head, C vectors of columns, or (kEnd)
/// one that is not whole.
template <class V, int G, int C, bool kEnd, class T>
BS_INLINE void add_tile(const BlockArgs<T>& a, const T* v, const Ahead<T>& ahead, std::int64_t t,
                        std::int64_t row, std::int64_t column) {
  constexpr int N = kLanes<V>;
  RealOf<T>* const acc = a.acc + row * a.stride + column;
  const RealOf<T>* const weights = a.scores + row * kBlockTokens;
  const std::int64_t end = std::min(t + kGroupTokens, a.tokens);
  V tile[G][C];
#pragma GCC unroll 8
  for (int g = 0; g < G; ++g)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) tile[g][c] = load_row<V>(acc + g * a.stride + c * N);
  for (std::int64_t i = t; i < end; ++i) {
    const T* value = v + a.offset[i] + column;
    ahead.fetch(i - t, column, column + C * N);
    V x[C];
#pragma GCC unroll 8
    for (int c = 0; c + 1 < C; c += 2) load_two<V>(value + c * N, x[c], x[c + 1]);
    if constexpr (C % 2 == 1) x[C - 1] = kEnd ? load_end<V>(value, a.head_dim - column) : load_row<V>(value);
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g)
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) tile[g][c] += x[c] * weights[g * kBlockTokens + i];
  }
#pragma GCC unroll 8
  for (int g = 0; g < G; ++g)
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) std::memcpy(acc + g * a.stride + c * N, &tile[g][c], sizeof(V));
}

/// kTile: accumulators at most.
template <class V, int kTile, int G, class T>
BS_INLINE void add_pass(const BlockArgs<T>& a, std::int64_t first) {
  constexpr int N = kLanes<V>, C = std::min(8, kTile / G);
  for (std::int64_t t = 0; t < a.tokens; t += kGroupTokens) {
    const T* v = a.v;
    std::int64_t row = first;
    for (std::int64_t head = 0; head < a.kv_heads; ++head, v += a.head_dim, row += a.group) {
      const Ahead<T> ahead(a, a.v, head, t);
      std::int64_t d = 0;
      for (; d + C * N <= a.head_dim; d += C * N) add_tile<V, G, C, false>(a, v, ahead, t, row, d);
      if constexpr (C > 4)
        for (; d + 4 * N <= a.head_dim; d += 4 * N) add_tile<V, G, 4, false>(a, v, ahead, t, row, d);
      for (; d + 2 * N <= a.head_dim; d += 2 * N) add_tile<V, G, 2, false>(a, v, ahead, t, row, d);
      if (d + N <= a.head_dim) {
        add_tile<V, G, 1, false>(a, v, ahead, t, row, d);
        d += N;
      }
      if (d < a.head_dim) add_tile<V, G, 1, true>(a, v, ahead, t, row, d);
    }
  }
}

}  // namespace bench::decode
