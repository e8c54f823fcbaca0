// SPDX-License-Identifier: Apache-2.0
// What the all-to-alls of ulysses_bwd_cpu carry and where it goes; the forward pass's twin is reshard.hpp.
//
// Messages, for a run of h query and g key/value heads. Inputs, n rows of the sender: lse and delta (B, h, n)
// in RealOf<T>, then q and dout (B, h, n, D), k and v (B, g, n, D), elements T. Gradients, n rows of the
// receiver: dk and dv (B, g, n, D), then dq (B, h, n, D), elements T. Where ranks share a key/value head each
// has a part of its dk and dv: then these two travel in RealOf<T> and the receiver adds them up. The wider
// type comes first, so that all are aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/attention/reshard.hpp"

namespace bench::attention {

/// The type in which dk and dv leave a rank: the problem's, or that of sums where ranks share a head.
DType key_gradient_dtype(const AttentionProblem& problem);

/// A piece for the backward pass, unfilled: q dout k v lse delta, and dq dk dv to be computed.
HeadPiece make_grad_piece(const AttentionProblem& problem, const HeadRun& heads);

template <class T>
std::int64_t grad_input_bytes(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
  const std::int64_t width = 2 * (heads.count + heads.kv_count) * p.head_dim;
  const std::int64_t row_bytes = width * static_cast<std::int64_t>(sizeof(T)) +
                                 2 * heads.count * static_cast<std::int64_t>(sizeof(RealOf<T>));
  return p.batch * rows * row_bytes;
}
template <class T>
std::int64_t gradient_bytes(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
  const std::int64_t row_bytes = 2 * heads.kv_count * size_of(key_gradient_dtype(p)) +
                                 heads.count * static_cast<std::int64_t>(sizeof(T));
  return p.batch * rows * p.head_dim * row_bytes;
}

/// Share (q dout k v lse of `tensors`) and delta (B, H, n) -> message for the rank that has `heads`.
template <class T>
void pack_grad_inputs(const AttentionProblem& p, const Tensors& tensors, const RealOf<T>* delta,
                      const HeadRun& heads, std::byte* message);
/// Message from the rank that holds `positions` -> those rows of the pieces, which are all of the receiver's
/// heads, in order.
template <class T>
void unpack_grad_inputs(const AttentionProblem& p, const std::byte* message,
                        std::span<const std::int64_t> positions, HeadPieces& pieces);
/// Rows `positions` of the pieces' gradients -> message for the rank that holds them.
template <class T>
void pack_gradients(const AttentionProblem& p, const HeadPieces& pieces,
                    std::span<const std::int64_t> positions, std::byte* message);

/// Sums of dk and dv (B, Hkv, n, D) that several ranks add to.
template <class Real>
struct KeySums {
  Real* dk;
  Real* dv;
};
/// Message from the rank that has `heads` -> dq of the share, and dk and dv: written, or added to `sums`
/// where ranks share heads.
template <class T>
void unpack_gradients(const AttentionProblem& p, const std::byte* message, const HeadRun& heads,
                      Tensors& tensors, const KeySums<RealOf<T>>& sums);

}  // namespace bench::attention
