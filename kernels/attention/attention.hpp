// SPDX-License-Identifier: Apache-2.0
// The attention op: softmax(Q K^T / sqrt(D)) V per head, optionally causal, with grouped key/value heads.
//
// Tensors, row-major: q (B, H, L, D), k and v (B, Hkv, L, D) -> out (B, H, L, D) in the problem's dtype and
// lse (B, H, L), the natural logarithm of each row's softmax sum, in fp32 (fp64 for fp64 tensors). Query head
// h reads key/value head h / (H / Hkv).
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/problem.hpp"

namespace bench::attention {

/// How ranks cut the sequence. Matters only when ranks > 1.
enum class Layout : std::uint8_t {
  contiguous,  // rank r holds the r-th of P runs
  zigzag,      // rank r holds chunks r and 2P-1-r of 2P: equal causal work
  striped,     // rank r holds positions r, r+P, r+2P, ...
};

struct AttentionProblem : Problem {
  std::int64_t batch = 1;      // B
  std::int64_t heads = 8;      // H
  std::int64_t kv_heads = 8;   // Hkv, divides H
  std::int64_t seq = 1024;     // L
  std::int64_t head_dim = 64;  // D
  bool causal = true;          // position i sees keys 0..i
  Layout layout = Layout::contiguous;

  std::int64_t group() const { return heads / kv_heads; }  // query heads per key/value head
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

std::string_view to_text(Layout layout);
/// contiguous, zigzag or striped; throws a usage error otherwise.
Layout parse_layout(std::string_view text);

/// Exact number of (query, key) pairs of one head: L(L+1)/2 causal, L*L otherwise.
double pair_count(const AttentionProblem& problem);

/// Global positions of rank r's share in storage order, always ascending. Any L: with L < P some ranks hold
/// none.
std::vector<std::int64_t> rank_positions(const AttentionProblem& problem, std::int64_t rank);

/// Upper bound of a rank's share: the length to which exchange buffers are cut.
std::int64_t longest_share(const AttentionProblem& problem);

}  // namespace bench::attention
