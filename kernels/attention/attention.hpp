// SPDX-License-Identifier: Apache-2.0
// The attention op: softmax(Q K^T / sqrt(D)) V per head, optionally causal, with grouped key/value heads.
//
// Tensors, row-major: q (B, H, L, D), k and v (B, Hkv, L, D) -> out (B, H, L, D) in the problem's dtype and
// lse (B, H, L), the natural logarithm of each row's softmax sum, in fp32 (fp64 for fp64 tensors). Query head
// h reads key/value head h / (H / Hkv).
//
// Pass bwd: q, k, v and dout (B, H, L, D), the gradient of some loss by out -> dq (B, H, L, D), dk and dv
// (B, Hkv, L, D) in the problem's dtype. What is timed is the backward pass alone, as LibTorch's backward op
// has it: given are also out (rounded to the problem's dtype) and lse, as a forward pass left them; delta =
// rowsum(dout * out), the weights computed again from lse, and the three gradients are inside. A kernel gets
// out and lse in its prepare, which is not timed, by save_forward (saved_forward.hpp): inputs are filled from
// a seed, and what a forward pass would have left does not fit q, k and v unless it is computed from them.
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
  bool backward() const { return pass == "bwd"; }
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

/// fp64 for fp64 tensors, fp32 for all others: the type of lse and of every sum.
DType accumulator_of(DType dtype);

/// What a forward pass leaves, whole: out (B, H, L, D) and lse (B, H, L). Outputs of pass fwd; pass bwd reads
/// them.
std::vector<TensorSpec> forward_results(const AttentionProblem& problem);

/// Upper bound of a rank's share: the length to which exchange buffers are cut.
std::int64_t longest_share(const AttentionProblem& problem);

}  // namespace bench::attention
