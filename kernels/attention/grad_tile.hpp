// SPDX-License-Identifier: Apache-2.0
// The block primitive of the backward kernels: query rows of one head meet one block of keys and add to the
// gradients of both. flash_tiled_bwd_cpu walks the blocks of its own memory, ring_bwd_cpu those that arrive
// from other ranks. Weights are computed again from the rows' log-sum-exp, so nothing of size L^2 is kept.
//
// Masks enter as in the forward pass (tile.hpp): `visible` counts the block's keys, from its first, that a
// row may see, and `hidden` those of them that lie left of its window; later rows have no fewer of either.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/attention/tile.hpp"

namespace bench::attention {

/// Keys that meet a block of rows at once: P and dS (fp32: 148 KB) stay in L2 beside K and V (D = 64: 98 KB).
inline constexpr std::int64_t kGradKeyBlock = 192;
/// Rows of a block. A slice of 64 columns of them (24 KB) stays in L1 for all its keys.
inline constexpr std::int64_t kGradRowBlock = 96;

/// From one row of Q or dout to the next in that block: a power of two would leave a slice half of L1's sets.
constexpr std::int64_t grad_row_stride(std::int64_t head_dim) {
  return round_up(head_dim, kMaxLanes) + kMaxLanes;
}

/// At most kGradRowBlock rows of one head against at most kGradKeyBlock keys. Padded rows: whole strips.
template <class Real>
struct GradBlock {
  std::int64_t rows, head_dim, padded_dim;  // padded_dim: D rounded up to kMaxLanes
  const Real* q;                            // strips of (D, engine.rows), times log2(e) / sqrt(D)
  const Real* dout;                         // strips of (D, engine.rows)
  const Real* q_rows;                       // (rows, grad_row_stride(head_dim)), as they are
  const Real* dout_rows;                    // (rows, grad_row_stride(head_dim))
  const Real* lse;                          // (padded rows), in units of log2
  const Real* delta;                        // (padded rows): dout . out
  const std::int64_t* visible;              // (padded rows), ascending, 0..kGradKeyBlock
  const std::int64_t* hidden;               // (padded rows), ascending, 0..visible; null: no window
  const Real* k;                            // (keys, k_stride)
  const Real* v;                            // (keys, v_stride)
  std::int64_t k_stride, v_stride;          // >= head_dim
  Real softcap;                             // c of capped scores; 0: as they are
  Real* dq;       // strips of (padded_dim, engine.rows), times sqrt(D); null: not wanted
  Real* dk;       // (kGradKeyBlock, padded_dim), times sqrt(D); null: not wanted
  Real* dv;       // like dk; null when dk is
  Real* weights;  // scratch (kGradKeyBlock, kGradRowBlock)
  Real* grads;    // scratch (kGradKeyBlock, kGradRowBlock)
};

/// The block primitive of one instruction set.
template <class Real>
struct GradEngine {
  std::string_view isa;
  std::int64_t rows;  // query rows a strip, divides kGradRowBlock
  void (*add_block)(const GradBlock<Real>&);
};

/// The best engine that this processor can run, chosen once. Real: float or double.
template <class Real>
const GradEngine<Real>& grad_engine();
/// All engines that this processor can run, the plain one first; for tests.
template <class Real>
std::span<const GradEngine<Real>> grad_engines();

// The engines by instruction set, one per grad_tile_<isa>.cpp. Only grad_tile.cpp calls these: it knows which
// ones this processor can run.
GradEngine<float> grad_float_plain();
GradEngine<double> grad_double_plain();
#if defined(__x86_64__)
GradEngine<float> grad_float_avx2();
GradEngine<double> grad_double_avx2();
GradEngine<float> grad_float_avx512();
GradEngine<double> grad_double_avx512();
#endif

}  // namespace bench::attention
