// SPDX-License-Identifier: Apache-2.0
// The attention op: softmax(Q K^T / sqrt(D)) V per head, optionally causal, in a sliding window or with
// padded keys, with grouped key/value heads.
//
// Tensors, row-major: q (B, H, L, D), k and v (B, Hkv, L, D) -> out (B, H, L, D) in the problem's dtype and
// lse (B, H, L), the natural logarithm of each row's softmax sum, in fp32 (fp64 for fp64 tensors). Query head
// h reads key/value head h / (H / Hkv).
//
// What position i of sequence b sees: keys 0..L-1, or 0..i when causal; of these, in a window w > 0, those
// with |i - j| < w, itself and w - 1 to each side (FlashAttention's window_size = (w - 1, w - 1), or (w - 1,
// 0) when causal); of these, with padded keys, the first n_b. A row that sees no key has out = 0 and lse =
// minus infinity.
//
// Pass bwd: q, k, v and dout (B, H, L, D), the gradient of some loss by out -> dq (B, H, L, D), dk and dv
// (B, Hkv, L, D) in the problem's dtype. What is timed is the backward pass alone, as LibTorch's backward op
// has it: given are also out (rounded to the problem's dtype) and lse, as a forward pass left them; delta =
// rowsum(dout * out), the weights computed again from lse, and the three gradients are inside. A kernel gets
// out and lse in its prepare, which is not timed, by save_forward (saved_forward.hpp): inputs are filled from
// a seed, and what a forward pass would have left does not fit q, k and v unless it is computed from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
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

/// Keys first .. end-1.
struct KeyRange {
  std::int64_t first = 0, end = 0;
  std::int64_t size() const { return end - first; }
};

struct AttentionProblem : Problem {
  std::int64_t batch = 1;      // B
  std::int64_t heads = 8;      // H
  std::int64_t kv_heads = 8;   // Hkv, divides H
  std::int64_t seq = 1024;     // L
  std::int64_t head_dim = 64;  // D
  bool causal = true;          // position i sees keys 0..i
  Layout layout = Layout::contiguous;
  std::int64_t window = 0;                // w; 0: no window
  std::vector<std::int64_t> key_lengths;  // n_b, valid keys of each sequence; empty: all L

  std::int64_t group() const { return heads / kv_heads; }  // query heads per key/value head
  bool backward() const { return pass == "bwd"; }
  bool masked() const { return window > 0 || !key_lengths.empty(); }
  std::int64_t keys_of(std::int64_t b) const {
    return key_lengths.empty() ? seq : key_lengths[static_cast<std::size_t>(b)];
  }
  /// What row `position` of sequence b sees. Both ends ascend with the position, that of a row that sees no
  /// key too.
  KeyRange visible(std::int64_t b, std::int64_t position) const {
    KeyRange keys{0, causal ? position + 1 : seq};
    if (window > 0)
      keys = {std::max(keys.first, position - window + 1), std::min(keys.end, position + window)};
    keys.end = std::min(keys.end, keys_of(b));
    keys.first = std::min(keys.first, keys.end);
    return keys;
  }
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

std::string_view to_text(Layout layout);
/// contiguous, zigzag or striped; throws a usage error otherwise.
Layout parse_layout(std::string_view text);

/// Exact number of (query, key) pairs of one head, the mean over sequences: L(L+1)/2 causal, L*L otherwise,
/// less what a window or padding hides.
double pair_count(const AttentionProblem& problem);

/// Kernel::supports of kernels that know causal masks only.
std::string supports_no_mask(const Problem& problem);

/// Global positions of rank r's share in storage order, always ascending. Any L: with L < P some ranks hold
/// none.
std::vector<std::int64_t> rank_positions(const AttentionProblem& problem, std::int64_t rank);

/// What a forward pass leaves, whole: out (B, H, L, D) and lse (B, H, L). Outputs of pass fwd; pass bwd reads
/// them.
std::vector<TensorSpec> forward_results(const AttentionProblem& problem);

/// Upper bound of a rank's share: the length to which exchange buffers are cut.
std::int64_t longest_share(const AttentionProblem& problem);

}  // namespace bench::attention
