// SPDX-License-Identifier: Apache-2.0
// The attention op: softmax(Q K^T / sqrt(D)) V per head, optionally causal, in a sliding window, with padded
// keys, capped scores, more or fewer keys than queries or packed sequences, with grouped key/value heads.
//
// Tensors, row-major: q (B, H, L, D), k and v (B, Hkv, Lk, D) -> out (B, H, L, D) in the problem's dtype and
// lse (B, H, L), the natural logarithm of each row's softmax sum, in fp32 (fp64 for fp64 tensors). Query head
// h reads key/value head h / (H / Hkv). Lk = L unless said otherwise.
//
// What position i of batch entry b sees. It stands at key a = i + Lk - L, so that the last query stands at the
// last key (FlashAttention's bottom-right alignment), whatever is padding. It sees keys 0..Lk-1, or those up to
// a when causal; of these, in a window w > 0, those with |a - j| < w, its own and w - 1 to each side
// (FlashAttention's window_size = (w - 1, w - 1), or (w - 1, 0) when causal); of these, with packed sequences
// (Lk = L), those of its own one; of these, with padded keys, the first n_b. A row that sees no key has out = 0
// and lse = minus infinity.
//
// Capped scores (Gemma 2): c tanh(s / c) takes the place of a score s = q k / sqrt(D), before anything is hidden.
//
// Pass bwd: q, k, v and dout (B, H, L, D), the gradient of some loss by out -> dq (B, H, L, D), dk and dv
// (B, Hkv, Lk, D) in the problem's dtype. What is timed is the backward pass alone, as LibTorch's backward op
// has it: given are also out (rounded to the problem's dtype) and lse, as a forward pass left them; delta =
// rowsum(dout * out), the weights computed again from lse, and the three gradients are inside. A kernel gets
// out and lse in its prepare, which is not timed, by save_forward (saved_forward.hpp): inputs are filled from
// a seed, and what a forward pass would have left does not fit q, k and v unless it is computed from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
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
  std::vector<std::int64_t> key_lengths;  // n_b, valid keys of each batch entry; empty: all Lk
  std::int64_t kv_seq = 0;                // Lk; 0: L
  std::int64_t softcap = 0;               // c; 0: scores as they are
  std::vector<std::int64_t> starts;       // where all packed sequences but the first begin, ascending, 1 .. L - 1

  std::int64_t group() const { return heads / kv_heads; }  // query heads per key/value head
  bool backward() const { return pass == "bwd"; }
  /// Rows of k and v.
  std::int64_t kv_length() const { return kv_seq > 0 ? kv_seq : seq; }
  bool own_keys() const { return kv_length() == seq; }
  /// Whether rows see other keys than causality alone leaves them.
  bool masked() const { return window > 0 || !key_lengths.empty() || !starts.empty() || (causal && !own_keys()); }
  /// Whether some row's first key is not the first one.
  bool hides_first_keys() const { return window > 0 || !starts.empty(); }
  std::int64_t keys_of(std::int64_t b) const {
    return key_lengths.empty() ? kv_length() : key_lengths[static_cast<std::size_t>(b)];
  }
  /// The packed sequence that `position` is in, all of it where there is one only.
  KeyRange sequence_at(std::int64_t position) const {
    const auto next = std::ranges::upper_bound(starts, position);
    return {next == starts.begin() ? 0 : *(next - 1), next == starts.end() ? kv_length() : *next};
  }
  /// What row `position` of batch entry b sees. Both ends ascend with the position, that of a row that sees no
  /// key too.
  KeyRange visible(std::int64_t b, std::int64_t position) const {
    KeyRange keys = sequence_at(position);
    const std::int64_t at = position + kv_length() - seq;
    if (causal) keys.end = std::min(keys.end, at + 1);
    if (window > 0) keys = {std::max(keys.first, at - window + 1), std::min(keys.end, at + window)};
    keys.end = std::clamp(keys.end, std::int64_t{0}, keys_of(b));
    keys.first = std::min(keys.first, keys.end);
    return keys;
  }
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(head_dim)); }
};

std::string_view to_text(Layout layout);
/// contiguous, zigzag or striped; throws a usage error otherwise.
Layout parse_layout(std::string_view text);

/// Exact number of (query, key) pairs of one head, the mean over the batch: L(L+1)/2 causal, L*Lk otherwise,
/// less what alignment, a window, packing or padding hides.
double pair_count(const AttentionProblem& problem);

/// What a problem may ask for besides causality.
enum class Feature : std::uint8_t { window, padding, kv_seq, softcap, segments };
/// Why a kernel that knows no feature but these does not take the problem; empty when it does.
std::string supports_only(const Problem& problem, std::initializer_list<Feature> known);
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
