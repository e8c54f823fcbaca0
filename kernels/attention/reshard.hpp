// SPDX-License-Identifier: Apache-2.0
// From shares of the sequence, all heads, to shares of the heads, the whole sequence, and back: what the
// all-to-alls of ulysses_cpu carry and where it goes.
//
// Messages. Inputs, for a run of h query and g key/value heads and n rows of the sender: q (B, h, n, D), k
// (B, g, n, D), v (B, g, n, D), elements T. Results, n rows of the receiver: lse (B, h, n), in RealOf<T>,
// then out (B, h, n, D), elements T: the wider type first, so that both are aligned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

#include "kernels/attention/head_split.hpp"
#include "kernels/attention/tile.hpp"
#include "src/core/tensor.hpp"

namespace bench::attention {

/// One uniform piece of a rank's heads over the whole sequence: a problem for a single-rank kernel.
struct HeadPiece {
  HeadRun heads;
  AttentionProblem problem;  // heads and kv_heads of the piece, one rank
  Tensors tensors;           // q k v out lse
};
using HeadPieces = std::deque<HeadPiece>;  // not a vector: a piece does not move

AttentionProblem piece_problem(const AttentionProblem& problem, const HeadRun& heads);

/// The most that `bytes` says of any rank's piece: pieces run one after another in the same scratch, and every
/// rank asks for what the neediest one needs.
std::int64_t neediest_piece(const AttentionProblem& problem, std::int64_t (*bytes)(const Problem&));
/// Allocates the piece's tensors, unfilled.
HeadPiece make_piece(const AttentionProblem& problem, const HeadRun& heads);

template <class T>
std::int64_t input_bytes(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
  const std::int64_t width = (heads.count + 2 * heads.kv_count) * p.head_dim;
  return p.batch * rows * width * static_cast<std::int64_t>(sizeof(T));
}
template <class T>
std::int64_t result_bytes(const AttentionProblem& p, const HeadRun& heads, std::int64_t rows) {
  const std::int64_t row_bytes =
      p.head_dim * static_cast<std::int64_t>(sizeof(T)) + static_cast<std::int64_t>(sizeof(RealOf<T>));
  return p.batch * heads.count * rows * row_bytes;
}

/// Share (q k v of `tensors`) -> message for the rank that has `heads`.
template <class T>
void pack_inputs(const AttentionProblem& p, const Tensors& tensors, const HeadRun& heads, std::byte* message);
/// Message from the rank that holds `positions` -> those rows of the pieces' q k v. The pieces are all of the
/// receiver's heads, in order.
template <class T>
void unpack_inputs(const AttentionProblem& p, const std::byte* message,
                   std::span<const std::int64_t> positions, HeadPieces& pieces);
/// Rows `positions` of the pieces' lse and out -> message for the rank that holds them.
template <class T>
void pack_results(const AttentionProblem& p, const HeadPieces& pieces,
                  std::span<const std::int64_t> positions, std::byte* message);
/// Message from the rank that has `heads` -> lse and out of the share.
template <class T>
void unpack_results(const AttentionProblem& p, const std::byte* message, const HeadRun& heads,
                    Tensors& tensors);

}  // namespace bench::attention
