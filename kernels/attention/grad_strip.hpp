// SPDX-License-Identifier: Apache-2.0
// The backward block, written once over GCC vector types, on top of the forward strip: S = Q K^T and dP =
// dout V^T are its score tile, and three more products
//   dV += P^T dout,  dK += dS^T Q,  dQ += dS K,   P = 2^(S - lse),  dS = P (dP - delta)
// are one: a tile of kRows x 2 vectors of columns whose weights are read along keys or along query rows. Each
// grad_tile_<isa>.cpp includes this file below its target pragma. Everything lives in an unnamed namespace:
// the same template compiled for another instruction set must not be merged with it.
#pragma once

#include "kernels/attention/grad_tile.hpp"
#include "kernels/attention/tile_strip.hpp"

namespace bench::attention {
namespace {

template <class Real, int kLanes, int kRows, int kVecs>
struct GradStrip : Strip<Real, kLanes, kRows, kVecs> {
  using Base = Strip<Real, kLanes, kRows, kVecs>;
  using Vec = typename Base::Vec;
  static_assert(kGradKeyBlock % Base::kPanel == 0 && kGradKeyBlock + kRows <= kScoreStride);

  static void add(const GradBlock<Real>& a) {
    for (std::int64_t r = 0; r < a.rows; r += kRows)
      if (a.visible[r + kRows - 1] > 0) weigh_strip(a, r);
    if (a.dk != nullptr) add_to_keys(a);
    if (a.dq != nullptr) add_to_queries(a);
  }

 private:
  /// P and dS of rows [first, first + kRows); zero where a row sees nothing, as far as a strip of keys that
  /// begins at a visible one may reach.
  static void weigh_strip(const GradBlock<Real>& a, std::int64_t first) {
    const std::int64_t keys = a.visible[first + kRows - 1], columns = round_up(keys, kLanes);
    StripArgs<Real> args{};
    args.depth = a.head_dim;
    args.q = a.q + first * a.head_dim;
    args.k = a.k;
    args.scores = a.weights + first * kScoreStride;
    Base::score_panels(args, keys);
    args.q = a.dout + first * a.head_dim;
    args.k = a.v;
    args.scores = a.grads + first * kScoreStride;
    Base::score_panels(args, keys);
    for (std::int64_t r = first; r < first + kRows; ++r) {
      Real *weights = a.weights + r * kScoreStride, *grads = a.grads + r * kScoreStride;
      through_softmax(weights, grads, columns, a.lse[r], a.delta[r]);
      for (std::int64_t j = a.visible[r]; j < columns + kRows; ++j) weights[j] = grads[j] = Real{0};
    }
  }

  static void through_softmax(Real* weights, Real* grads, std::int64_t columns, Real lse, Real delta) {
    for (std::int64_t j = 0; j < columns; j += kLanes) {
      Vec p = *reinterpret_cast<const Vec*>(weights + j) - lse;
      Base::exp2(p);
      Vec& grad = *reinterpret_cast<Vec*>(grads + j);
      *reinterpret_cast<Vec*>(weights + j) = p;
      grad = p * (grad - delta);
    }
  }

  /// Strips of keys; the rows that see a strip's first key are the last ones of the block.
  static void add_to_keys(const GradBlock<Real>& a) {
    const std::int64_t keys = a.visible[a.rows - 1];
    std::int64_t first = 0;
    for (std::int64_t j = 0; j < keys; j += kRows) {
      while (a.visible[first] <= j) ++first;
      const std::int64_t from = first * kScoreStride + j, depth = a.rows - first;
      const std::int64_t row = first * a.padded_dim, to = j * a.padded_dim;
      product<1, kScoreStride>(a.dv + to, a.weights + from, a.dout_rows + row, depth, a.padded_dim);
      product<1, kScoreStride>(a.dk + to, a.grads + from, a.q_rows + row, depth, a.padded_dim);
    }
  }

  static void add_to_queries(const GradBlock<Real>& a) {
    for (std::int64_t r = 0; r < a.rows; r += kRows)
      product<kScoreStride, 1>(a.dq + r * a.padded_dim, a.grads + r * kScoreStride, a.k_rows,
                               a.visible[r + kRows - 1], a.padded_dim);
  }

  /// out (kRows, columns) += W in, W (kRows, depth) with steps kRowStep and kDepthStep, in (depth, columns).
  template <std::int64_t kRowStep, std::int64_t kDepthStep>
  static void product(Real* out, const Real* weights, const Real* in, std::int64_t depth,
                      std::int64_t columns) {
    std::int64_t c = 0;
    for (; c + 2 * kLanes <= columns; c += 2 * kLanes)
      tile<kRowStep, kDepthStep, 2>(out + c, weights, in + c, depth, columns);
    for (; c < columns; c += kLanes) tile<kRowStep, kDepthStep, 1>(out + c, weights, in + c, depth, columns);
  }

  template <std::int64_t kRowStep, std::int64_t kDepthStep, int kWidth>
  static __attribute__((noinline)) void tile(Real* __restrict out, const Real* __restrict weights,
                                             const Real* __restrict in, std::int64_t depth,
                                             std::int64_t stride) {
    Vec sums[kRows][kWidth];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) sums[r][w] = reinterpret_cast<const Vec*>(out + r * stride)[w];
    for (std::int64_t i = 0; i < depth; ++i, in += stride, weights += kDepthStep) {
      Vec value[kWidth];
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) value[w] = reinterpret_cast<const Vec*>(in)[w];
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
        for (int w = 0; w < kWidth; ++w) sums[r][w] += weights[r * kRowStep] * value[w];
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 8
      for (int w = 0; w < kWidth; ++w) reinterpret_cast<Vec*>(out + r * stride)[w] = sums[r][w];
  }
};

}  // namespace
}  // namespace bench::attention
