// SPDX-License-Identifier: Apache-2.0
// The backward block, written once over GCC vector types with the forward strip's tile (tile_core.hpp): five
// products
//   S = K Q^T,  dP = V dout^T,  dQ += K^T dS,  dV += P dout,  dK += dS Q,   P = 2^(S - lse),  dS = P (dP -
//   delta), times the slope of the cap where S is capped
// P and dS lie with query rows side by side. The first two and dQ have rows as lanes, as in the forward
// strip: K and V are broadcast, read where they lie. In the last two, columns of dout and Q are the lanes and
// P and dS are broadcast. Each grad_tile_<isa>.cpp includes this file below its target pragma.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "kernels/attention/grad_tile.hpp"
#include "kernels/attention/tile_core.hpp"

namespace bench::attention {
namespace {

/// Tiles: kHeight x kVecs with rows as lanes, kKeyHeight x kKeyVecs with columns as lanes.
template <class Core, int kVecs, int kHeight, int kKeyVecs, int kKeyHeight>
struct GradStrip : Core {
  using Real = typename Core::Real;
  using Vec = typename Core::Vec;
  static constexpr int kLanes = Core::kLanes;
  static constexpr std::int64_t kRows = std::int64_t{kVecs} * kLanes;
  static constexpr std::int64_t kWholeTiles = std::lcm(kHeight, kKeyHeight);
  static_assert(kGradKeyBlock % kWholeTiles == 0 && kGradRowBlock % kRows == 0 && kMaxLanes % kHeight == 0 &&
                kVecs <= 3);

  static void add(const GradBlock<Real>& a) {
    for (std::int64_t first = 0; first < a.rows; first += kRows) GradStrip(a, first).weigh();
    if (a.dk != nullptr) {
      add_to_keys(a, a.weights, a.dout_rows, a.dv);
      add_to_keys(a, a.grads, a.q_rows, a.dk);
    }
    if (a.dq != nullptr)
      for (std::int64_t first = 0; first < a.rows; first += kRows) GradStrip(a, first).add_to_queries();
  }

 private:
  const GradBlock<Real>& a;
  std::int64_t first;         // the strip's first row
  std::int64_t begin, keys;   // keys that any row of the block sees, from where whole tiles of them begin
  int vectors;                // of rows in use
  std::int64_t limit[kVecs];  // keys that the last row of each vector sees

  GradStrip(const GradBlock<Real>& block, std::int64_t first_row)
      : a(block),
        first(first_row),
        begin(first_key(block)),
        keys(block.visible[block.rows - 1]),
        vectors(static_cast<int>((std::min(kRows, block.rows - first_row) + kLanes - 1) / kLanes)) {
    for (int w = 0; w < vectors; ++w) limit[w] = a.visible[first + (w + 1) * kLanes - 1];
  }

  static std::int64_t first_key(const GradBlock<Real>& a) {
    return a.hidden != nullptr ? a.hidden[0] / kWholeTiles * kWholeTiles : 0;
  }

  /// P and dS of the strip's rows, whole tiles of keys at a time; zero where a row sees nothing.
  void weigh() const { a.softcap > Real{0} ? weigh_strip<true>() : weigh_strip<false>(); }

  template <bool kCap>
  void weigh_strip() const {
    for (std::int64_t j = begin; j < round_up(keys, kKeyHeight); j += kHeight) {
      int from = 0, to = vectors;
      while (from < vectors && limit[from] <= j) ++from;
      while (to > from && hides(to - 1, 0, j + kHeight - 1)) --to;
      clear(j, 0, from);
      clear(j, to, vectors);
      if (from == to) continue;
      const bool edge = a.visible[first + from * kLanes] < j + kHeight || hides(to - 1, kLanes - 1, j);
      if (to - from == 1) edge ? weigh_keys<1, true, kCap>(j, from) : weigh_keys<1, false, kCap>(j, from);
      if constexpr (kVecs > 1)
        if (to - from == 2) edge ? weigh_keys<2, true, kCap>(j, from) : weigh_keys<2, false, kCap>(j, from);
      if constexpr (kVecs > 2)
        if (to - from == 3) edge ? weigh_keys<3, true, kCap>(j, from) : weigh_keys<3, false, kCap>(j, from);
    }
  }

  void clear(std::int64_t j, int from, int to) const {
    for (int r = 0; r < kHeight; ++r)
      for (int w = from; w < to; ++w) weights_at(j + r)[w] = grads_at(j + r)[w] = Vec{};
  }

  /// Whether the window of a row of vector w begins behind key j.
  bool hides(int w, int lane, std::int64_t j) const {
    return a.hidden != nullptr && a.hidden[first + w * kLanes + lane] > j;
  }

  Vec* weights_at(std::int64_t j) const { return Core::at(a.weights + j * kGradRowBlock + first); }
  Vec* grads_at(std::int64_t j) const { return Core::at(a.grads + j * kGradRowBlock + first); }

  /// With kCap the slopes of capped scores lie where dS comes to lie.
  template <int kWidth, bool kEdge, bool kCap>
  __attribute__((noinline)) void weigh_keys(std::int64_t j, int from) const {
    score<kWidth, kEdge, kCap>(j, from);
    const Real* value[kHeight];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) value[r] = a.v + std::min(j + r, keys - 1) * a.v_stride;
    Vec tile[kHeight][kWidth] = {};
    Core::template multiply<0>(tile, value, 1, a.dout + first * a.head_dim + from * kLanes, kRows,
                               a.head_dim);
#pragma GCC unroll 8
    for (int w = 0; w < kWidth; ++w) {
      const Vec delta = Core::at(a.delta + first)[from + w];
#pragma GCC unroll 8
      for (int r = 0; r < kHeight; ++r) {
        Vec grad = weights_at(j + r)[from + w] * (tile[r][w] - delta);
        if constexpr (kCap) grad *= grads_at(j + r)[from + w];
        grads_at(j + r)[from + w] = grad;
      }
    }
  }

  template <int kWidth, bool kEdge, bool kCap>
  __attribute__((noinline)) void score(std::int64_t j, int from) const {
    const Real* key[kHeight];
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) key[r] = a.k + std::min(j + r, keys - 1) * a.k_stride;
    Vec tile[kHeight][kWidth] = {};
    Core::template multiply<0>(tile, key, 1, a.q + first * a.head_dim + from * kLanes, kRows, a.head_dim);
#pragma GCC unroll 8
    for (int w = 0; w < kWidth; ++w) {
      const Vec lse = Core::at(a.lse + first)[from + w];
      // Keys of this tile that a row sees, and of these those left of its window.
      alignas(sizeof(Vec)) Real seen[kLanes], hidden[kLanes] = {};
      if constexpr (kEdge)
        for (int i = 0; i < kLanes; ++i) {
          const std::int64_t row = first + (from + w) * kLanes + i;
          seen[i] = static_cast<Real>(a.visible[row] - j);
          if (a.hidden != nullptr) hidden[i] = static_cast<Real>(a.hidden[row] - j);
        }
#pragma GCC unroll 8
      for (int r = 0; r < kHeight; ++r) {
        Vec s = tile[r][w];
        if constexpr (kCap) {
          const auto capped = Core::capped(s, a.softcap);
          s = capped.score;
          grads_at(j + r)[from + w] = capped.slope;
        }
        Vec p = Core::exp2(s - lse);
        if constexpr (kEdge) {
          p = *Core::at(seen) > static_cast<Real>(r) ? p : Vec{};
          p = *Core::at(hidden) > static_cast<Real>(r) ? Vec{} : p;
        }
        weights_at(j + r)[from + w] = p;
      }
    }
  }

  /// dQ of the strip, as forward's acc: the vectors of rows that see a key take it in.
  void add_to_queries() const {
    std::int64_t from = a.hidden != nullptr ? a.hidden[first] : 0;
    for (int w = 0; w < vectors; ++w) {
      if (limit[w] <= from) continue;
      for (std::int64_t column = 0; column < a.head_dim; column += kHeight) {
        if (vectors - w == 1) add_to_rows<1>(w, from, limit[w], column);
        if constexpr (kVecs > 1)
          if (vectors - w == 2) add_to_rows<2>(w, from, limit[w], column);
        if constexpr (kVecs > 2)
          if (vectors - w == 3) add_to_rows<3>(w, from, limit[w], column);
      }
      from = limit[w];
    }
  }

  template <int kWidth>
  void add_to_rows(int w, std::int64_t from, std::int64_t to, std::int64_t column) const {
    const Real* key[kHeight];  // columns beyond the last are computed from it and never read
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) key[r] = a.k + from * a.k_stride + std::min(column + r, a.head_dim - 1);
    product<8, kHeight, kWidth>(key, a.k_stride, a.grads + from * kGradRowBlock + first + w * kLanes,
                                kGradRowBlock, to - from,
                                a.dq + first * a.padded_dim + column * kRows + w * kLanes, kRows);
  }

  /// out (keys, columns) += weights (keys, rows) in (rows, columns). The rows that see a tile's keys are the
  /// last ones of the block, without those whose window begins behind it. A slice of `in` stays in L1 while
  /// the keys go by.
  static void add_to_keys(const GradBlock<Real>& a, const Real* weights, const Real* in, Real* out) {
    std::int64_t column = 0;
    for (; column + kKeyVecs * kLanes <= a.padded_dim; column += kKeyVecs * kLanes)
      add_slice<kKeyVecs>(a, weights, in + column, out + column);
    if constexpr (kKeyVecs > 2)
      for (; column + 2 * kLanes <= a.padded_dim; column += 2 * kLanes)
        add_slice<2>(a, weights, in + column, out + column);
    for (; column < a.padded_dim; column += kLanes) add_slice<1>(a, weights, in + column, out + column);
  }

  template <int kWidth>
  static void add_slice(const GradBlock<Real>& a, const Real* weights, const Real* in, Real* out) {
    const std::int64_t count = a.visible[a.rows - 1], stride = grad_row_stride(a.head_dim);
    std::int64_t row = 0, end = a.hidden != nullptr ? 0 : a.rows;
    for (std::int64_t j = first_key(a); j < count; j += kKeyHeight) {
      while (a.visible[row] <= j) ++row;
      while (end < a.rows && a.hidden[end] < j + kKeyHeight) ++end;
      const Real* weight[kKeyHeight];
#pragma GCC unroll 8
      for (int r = 0; r < kKeyHeight; ++r) weight[r] = weights + (j + r) * kGradRowBlock + row;
      product<0, kKeyHeight, kWidth>(weight, 1, in + row * stride, stride, end - row, out + j * a.padded_dim,
                                     a.padded_dim);
    }
  }

  template <int kAhead, int kTall, int kWidth>
  static __attribute__((noinline)) void product(const Real* const (&left)[kTall], std::int64_t step,
                                                const Real* right, std::int64_t stride, std::int64_t depth,
                                                Real* out, std::int64_t out_stride) {
    Vec tile[kTall][kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) tile[r][w] = Core::at(out + r * out_stride)[w];
    Core::template multiply<kAhead>(tile, left, step, right, stride, depth);
#pragma GCC unroll 8
    for (int r = 0; r < kTall; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) Core::at(out + r * out_stride)[w] = tile[r][w];
  }
};

}  // namespace
}  // namespace bench::attention
