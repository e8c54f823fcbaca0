// SPDX-License-Identifier: Apache-2.0
// The ssm_update op: one token of a state-space model's generation, as Mamba-1 and Mamba-2 do it per layer.
//
//   d = softplus(dt + dt_bias)
//   h_last[p, n] = exp(d A) h0[p, n] + d x[p] B[n]        per batch entry and head, P x N
//   out[p] = (sum_n h_last[p, n] C[n] + D x[p]) * silu(z[p])
//
// Tensors, row-major: x, z (B, H, P), dt (B, H, W) and B, C (B, G, N) in the problem's dtype; A (H, W, M), D,
// dt_bias (H, W) and h0 (B, H, P, N) in the state's type -> out (B, H, P) in the problem's dtype and h_last
// (B, H, P, N) in the state's type: fp32, or fp64 for fp64 problems. Tied (Mamba-2): W = M = 1, one decay a
// head; untied (Mamba-1, with H = 1 and P its channels): W = P, M = N, a decay for every state. Head h reads
// group h / (H / G) of B and C. The state goes in as h0 and comes out as h_last, so that a repetition
// repeats; the bytes are those of an update in place. One rank, forward only.
//
// With `slots` the states lie in a server's cache: h0 is (slots, H, P, N), entry b's state is that of slot
// state_batch_indices[b], in random order, and h_last stays in the order of the entries. The last `padding` entries have
// index -1: no state is read for them, and their out and h_last are zero.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/problem.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {

struct UpdateProblem : Problem {
  std::int64_t batch = 16;     // B
  std::int64_t heads = 16;     // H
  std::int64_t head_dim = 64;  // P, rows of a head's state
  std::int64_t state = 128;    // N, columns of a head's state
  std::int64_t groups = 1;     // G, divides H
  bool tied = true;            // one decay a head
  std::int64_t slots = 0;      // of the cache; 0: one for each entry, in order
  std::int64_t padding = 0;    // entries without a state, the last ones
  std::vector<std::int32_t> state_batch_indices;  // (B), if there is a cache

  std::int64_t step_width() const { return tied ? 1 : head_dim; }  // W
  std::int64_t decay_width() const { return tied ? 1 : state; }    // M
  std::int64_t live() const { return batch - padding; }
  std::int64_t entry_states() const { return heads * head_dim * state; }
  /// Where an entry's state lies in h0; negative: nowhere.
  std::int64_t slot_of(std::int64_t entry) const {
    return state_batch_indices.empty() ? entry : state_batch_indices[static_cast<std::size_t>(entry)];
  }
};

/// The tensors with their types.
template <class T>
struct UpdateViews {
  using S = StateOf<T>;
  View<const T, 3> x, z;        // (B, H, P)
  View<const T, 3> dt;          // (B, H, W)
  View<const T, 3> b, c;        // (B, G, N)
  View<const S, 3> a;           // (H, W, M)
  View<const S, 2> skip, bias;  // (H, W)
  View<const S, 4> h0;          // (B or slots, H, P, N)
  View<T, 3> out;               // (B, H, P)
  View<S, 4> h_last;            // (B, H, P, N)

  explicit UpdateViews(Tensors& tensors) {
    const Tensors& in = tensors;
    x = view<T, 3>(in["x"]), z = view<T, 3>(in["z"]), dt = view<T, 3>(in["dt"]);
    b = view<T, 3>(in["B"]), c = view<T, 3>(in["C"]), a = view<S, 3>(in["A"]);
    skip = view<S, 2>(in["D"]), bias = view<S, 2>(in["dt_bias"]), h0 = view<S, 4>(in["h0"]);
    out = view<T, 3>(tensors["out"]), h_last = view<S, 4>(tensors["h_last"]);
  }
  std::int64_t heads() const { return x.extent[1]; }
  std::int64_t head_dim() const { return x.extent[2]; }
  std::int64_t states() const { return b.extent[2]; }
  std::int64_t group_of(std::int64_t head) const { return head / (heads() / b.extent[1]); }
};

/// A head of an entry that is padding.
template <class T>
void clear_head(const UpdateViews<T>& v, std::int64_t entry, std::int64_t head) {
  std::fill_n(&v.out(entry, head, 0), v.head_dim(), T{});
  std::fill_n(&v.h_last(entry, head, 0, 0), v.head_dim() * v.states(), StateOf<T>{0});
}

/// The fp64 oracle: the formulas above. Inputs in fp64; `rows` are batch entries.
Tensors update_reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows);

}  // namespace bench::scan
