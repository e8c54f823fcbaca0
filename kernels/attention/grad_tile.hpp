// SPDX-License-Identifier: Apache-2.0
// The block primitive of the backward kernels: query rows of one head meet one block of keys and add to the
// gradients of both. flash_tiled_bwd_cpu walks the blocks of its own memory, ring_bwd_cpu those that arrive
// from other ranks. Weights are computed again from the rows' log-sum-exp, so nothing of size L^2 is kept.
//
// Causality enters as in the forward pass (tile.hpp): `visible` counts the block's keys, from its first, that
// a row may see; later rows see no fewer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/attention/tile.hpp"

namespace bench::attention {

/// Keys that meet a block of kQueryBlock rows at once: P and dS (fp32: 154 KB with their stride) stay in L2
/// beside the panels of K and V (D = 64: 148 KB). A multiple of every engine's panel.
inline constexpr std::int64_t kGradKeyBlock = 192;

/// At most kQueryBlock rows of one head against at most kGradKeyBlock keys. Padded rows: whole strips.
template <class Real>
struct GradBlock {
  std::int64_t rows, head_dim, padded_dim;  // padded_dim: D rounded up to kMaxLanes
  const Real* q;                            // strips of (D, engine.rows), times log2(e) / sqrt(D)
  const Real* dout;                         // strips of (D, engine.rows)
  const Real* q_rows;                       // (rows, padded_dim), as they are
  const Real* dout_rows;                    // (rows, padded_dim)
  const Real* lse;                          // (padded rows), in units of log2
  const Real* delta;                        // (padded rows): dout . out
  const std::int64_t* visible;              // (padded rows), ascending, 0..kGradKeyBlock
  const Real* k;                            // (panels, D, panel)
  const Real* v;                            // (panels, D, panel)
  const Real* k_rows;                       // (keys, padded_dim)
  Real* dq;                                 // (padded rows, padded_dim), times sqrt(D); null: not wanted
  Real* dk;       // (whole strips of keys, padded_dim), times sqrt(D); null: not wanted
  Real* dv;       // like dk; null when dk is
  Real* weights;  // scratch (kQueryBlock, kScoreStride)
  Real* grads;    // scratch (kQueryBlock, kScoreStride)
};

/// The block primitive of one instruction set.
template <class Real>
struct GradEngine {
  std::string_view isa;
  std::int64_t rows;   // rows a strip, of queries and of keys; divides kQueryBlock
  std::int64_t panel;  // keys a panel, divides kGradKeyBlock
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
