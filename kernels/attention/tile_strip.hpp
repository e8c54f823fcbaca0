// SPDX-License-Identifier: Apache-2.0
// The strip kernel, written once over GCC vector types: S = Q K^T, online softmax, acc = acc * alpha + P V
// for a strip of query rows and at most kKeyBlock keys. Each tile_<isa>.cpp includes this file below its
// target pragma and instantiates it with the tile that fits its registers.
//
// Query rows are the lanes: scores, weights, state and acc all have the strip's rows side by side, kVecs
// vectors of them. Both products are tiles of kHeight x kVecs vectors: kHeight keys against Q for the scores,
// kHeight columns of V against the weights for acc. So K and V are the factors that are broadcast, an element
// at a time: they are read where they lie, without packing, and each element serves a whole strip, which
// leaves 32 bytes from L2 for kHeight x kVecs multiply-adds (tiles with keys as lanes: 192). And maxima and
// sums go from key to key, never across lanes.
//
// Near the diagonal a tile takes only the vectors of rows that see its first key, and is masked where some
// row of those does not see all of it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/tile.hpp"
#include "kernels/attention/tile_core.hpp"

namespace bench::attention {
namespace {

template <class Core, int kVecs, int kHeight>
struct Strip : Core {
  using Real = typename Core::Real;
  using Vec = typename Core::Vec;
  using Ints = typename Core::Ints;
  static constexpr int kLanes = Core::kLanes;
  static constexpr std::int64_t kRows = std::int64_t{kVecs} * kLanes;
  static_assert(kScoreKeys % kHeight == 0 && kScoreKeys % Core::kKeysPerWord == 0 &&
                kQueryBlock % kRows == 0 && kMaxLanes % kHeight == 0 && kVecs <= 3 && kRows <= kMaxStripRows);

  static void attend(const StripArgs<Real>& a) {
    const std::int64_t keys = a.visible[kRows - 1];
    const std::int64_t begin =
        a.hidden != nullptr ? a.hidden[0] / Core::kKeysPerWord * Core::kKeysPerWord : 0;
    for (std::int64_t first = begin; first < keys; first += kScoreKeys)
      Strip(a, first, std::min(kScoreKeys, keys - first)).attend_keys();
  }

 private:
  const StripArgs<Real>& a;
  std::int64_t first, keys;   // of the keys whose weights fit into the scratch
  int vectors;                // of rows in use
  std::int64_t limit[kVecs];  // keys that the last row of each vector sees
  Vec largest[kVecs];
  Vec alpha[kVecs];  // what the earlier output and sums are multiplied by

  Strip(const StripArgs<Real>& args, std::int64_t first_key, std::int64_t key_count)
      : a(args),
        first(first_key),
        keys(key_count),
        vectors(static_cast<int>((args.rows + kLanes - 1) / kLanes)) {
    for (int w = 0; w < vectors; ++w) {
      limit[w] = std::clamp(a.visible[(w + 1) * kLanes - 1] - first, std::int64_t{0}, keys);
      largest[w] = Vec{} + static_cast<Real>(kMaskedScore);
    }
  }

  void attend_keys() {
    for (std::int64_t j = 0; j < keys; j += kHeight) score_keys(j);
    for (int w = 0; w < vectors; ++w) softmax(w);
    std::int64_t from = 0;  // a multiple of kKeysPerWord
    for (int w = 0; w < vectors; ++w) {
      const std::int64_t to = std::min(round_up(limit[w], Core::kKeysPerWord), kScoreKeys);
      if (to <= from) continue;
      weigh_keys(w, from, to);
      from = to;
      for (Vec& x : alpha) x = Vec{} + Real{1};
    }
  }

  /// The first vector of rows that sees key j.
  int first_vector(std::int64_t j) const {
    int w = 0;
    while (limit[w] <= j) ++w;
    return w;
  }

  void score_keys(std::int64_t j) {
    const int from = first_vector(j), width = vectors - from;
    const bool edge = a.visible[from * kLanes] - first < j + kHeight ||
                      (a.hidden != nullptr && a.hidden[kRows - 1] - first > j);
    if (width == 1) return edge ? score<1, true>(j, from) : score<1, false>(j, from);
    if constexpr (kVecs > 1)
      if (width == 2) return edge ? score<2, true>(j, from) : score<2, false>(j, from);
    if constexpr (kVecs > 2) return edge ? score<3, true>(j, from) : score<3, false>(j, from);
  }

  /// Scores of kHeight keys from j on; those beyond the last are computed from it and masked.
  template <int kWidth, bool kEdge>
  __attribute__((noinline)) void score(std::int64_t j, int from) {
    const Real* key[kHeight];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) key[r] = a.k + (first + std::min(j + r, keys - 1)) * a.k_stride;
    Vec tile[kHeight][kWidth] = {};
    Core::template multiply<0>(tile, key, 1, a.q + from * kLanes, kRows, a.depth);
    if constexpr (kEdge) mask(tile, j, from);
    Real* const scores = a.scores + j * kRows + from * kLanes;
#pragma GCC unroll 8
    for (int w = 0; w < kWidth; ++w) {
      Vec top = largest[from + w];
#pragma GCC unroll 8
      for (int r = 0; r < kHeight; ++r) {
        top = tile[r][w] > top ? tile[r][w] : top;
        Core::at(scores + r * kRows)[w] = tile[r][w];
      }
      largest[from + w] = top;
    }
  }

  template <int kWidth>
  void mask(Vec (&tile)[kHeight][kWidth], std::int64_t j, int from) const {
    const Vec masked = Vec{} + static_cast<Real>(kMaskedScore) / a.scale;
    for (int w = 0; w < kWidth; ++w) {
      alignas(sizeof(Vec)) Real seen[kLanes];  // keys of this tile that a row sees
      for (int i = 0; i < kLanes; ++i)
        seen[i] = static_cast<Real>(a.visible[(from + w) * kLanes + i] - first - j);
      for (int r = 0; r < kHeight; ++r)
        tile[r][w] = *Core::at(seen) > static_cast<Real>(r) ? tile[r][w] : masked;
      if (a.hidden == nullptr) continue;
      for (int i = 0; i < kLanes; ++i)  // keys of this tile that lie left of a row's window
        seen[i] = static_cast<Real>(a.hidden[(from + w) * kLanes + i] - first - j);
      for (int r = 0; r < kHeight; ++r)
        tile[r][w] = *Core::at(seen) > static_cast<Real>(r) ? masked : tile[r][w];
    }
  }

  /// Scores of vector w and the largest of them are capped, in units of log2; masked ones stay what they are.
  __attribute__((noinline)) void cap(int w) {
    Real* score = a.scores + w * kLanes;
    for (std::int64_t j = 0; j < round_up(limit[w], kHeight); ++j, score += kRows)
      *Core::at(score) = capped_unless_masked(*Core::at(score) * a.scale);
    largest[w] = capped_unless_masked(largest[w] * a.scale);
  }
  Vec capped_unless_masked(Vec x) const {
    return x < static_cast<Real>(kLeastScore) ? x : Core::capped(x, a.softcap).score;
  }

  /// Scores of vector w become weights; its rows' state moves on.
  void softmax(int w) {
    alpha[w] = Vec{} + Real{1};
    if (limit[w] == 0) return;
    if (a.softcap > Real{0}) cap(w);
    const Real scale = a.softcap > Real{0} ? Real{1} : a.scale;
    Vec &max = Core::at(a.max)[w], &sum = Core::at(a.sum)[w];
    const Vec top = largest[w] * scale, next = top > max ? top : max;
    alpha[w] = Core::exp2(max - next);
    max = next;
    sum = sum * alpha[w] +
          Core::weights(a.scores + w * kLanes, kRows, round_up(limit[w], kHeight), scale, next);
  }

  /// acc of the rows from vector `w` on takes in the keys [from, to).
  void weigh_keys(int w, std::int64_t from, std::int64_t to) {
    for (std::int64_t column = 0; column < a.head_dim; column += kHeight) {
      if (vectors - w == 1) weigh<1>(w, from, to, column);
      if constexpr (kVecs > 1)
        if (vectors - w == 2) weigh<2>(w, from, to, column);
      if constexpr (kVecs > 2)
        if (vectors - w == 3) weigh<3>(w, from, to, column);
    }
  }

  template <int kWidth>
  __attribute__((noinline)) void weigh(int w0, std::int64_t from, std::int64_t to,
                                       std::int64_t column) const {
    constexpr std::int64_t kWord = Core::kKeysPerWord;
    const Real* value[kHeight];  // columns beyond the last are computed from it and never read
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
      value[r] = a.v + (first + from) / kWord * a.v_stride + std::min(column + r, a.head_dim - 1);
    Real* const acc = a.acc + column * kRows + w0 * kLanes;
    Vec tile[kHeight][kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) tile[r][w] = Core::at(acc + r * kRows)[w] * alpha[w0 + w];
    Core::template multiply<8>(tile, value, a.v_stride, a.scores + from / kWord * kRows + w0 * kLanes, kRows,
                               (to - from + kWord - 1) / kWord);
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) Core::at(acc + r * kRows)[w] = tile[r][w];
  }
};

}  // namespace
}  // namespace bench::attention
