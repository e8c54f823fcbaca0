// SPDX-License-Identifier: Apache-2.0
// The copies that resharding is made of, for the forward and the backward messages: whole heads on the side
// of the share, runs of consecutive positions on the side of the sequence (one run a rank in contiguous
// layout, two in zigzag, single rows in striped).
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/attention/reshard.hpp"

namespace bench::attention {

/// Calls f(first index, first position, length) for each run of consecutive positions.
template <class F>
void for_each_run(std::span<const std::int64_t> positions, F&& f) {
  const auto count = static_cast<std::int64_t>(positions.size());
  for (std::int64_t i = 0, end = 0; i < count; i = end) {
    const std::int64_t first = positions[static_cast<std::size_t>(i)];
    for (end = i + 1; end < count && positions[static_cast<std::size_t>(end)] == first + end - i;) ++end;
    f(i, first, end - i);
  }
}

/// Heads [first, first + count) of a tensor (B, heads, rows, width) <-> (B, count, rows, width), contiguous.
struct HeadBlock {
  std::int64_t batch, heads, rows, width;

  template <class T>
  T* extract(const T* whole, std::int64_t first, std::int64_t count, T* part) const {
    const std::int64_t head = rows * width;
    for (std::int64_t b = 0; b < batch; ++b)
      part = std::copy_n(whole + (b * heads + first) * head, count * head, part);
    return part;
  }
  template <class T>
  const T* insert(const T* part, std::int64_t first, std::int64_t count, T* whole) const {
    const std::int64_t head = rows * width;
    for (std::int64_t b = 0; b < batch; ++b, part += count * head)
      std::copy_n(part, count * head, whole + (b * heads + first) * head);
    return part;
  }
};

/// One tensor of a piece, (B, heads, L, width), beside the message's (B, message_heads, n, width), of which
/// the piece's heads start at `offset`. Heads are independent: threads share them.
struct PieceBlock {
  std::int64_t batch, heads, length, width, message_heads, offset, threads;

  template <class F>
  void for_each_head(std::int64_t rows, F&& f) const {
#pragma omp parallel for num_threads(static_cast <int>(threads))
    for (std::int64_t i = 0; i < batch * heads; ++i) {
      const std::int64_t in_message = i / heads * message_heads + offset + i % heads;
      f(i * length * width, in_message * rows * width);
    }
  }
  template <class T>
  void scatter(const T* message, std::span<const std::int64_t> positions, T* piece) const {
    for_each_head(static_cast<std::int64_t>(positions.size()), [&](std::int64_t to, std::int64_t from) {
      for_each_run(positions, [&](std::int64_t i, std::int64_t position, std::int64_t count) {
        std::copy_n(message + from + i * width, count * width, piece + to + position * width);
      });
    });
  }
  template <class T>
  void gather(const T* piece, std::span<const std::int64_t> positions, T* message) const {
    for_each_head(static_cast<std::int64_t>(positions.size()), [&](std::int64_t from, std::int64_t to) {
      for_each_run(positions, [&](std::int64_t i, std::int64_t position, std::int64_t count) {
        std::copy_n(piece + from + position * width, count * width, message + to + i * width);
      });
    });
  }
};

/// Query heads and key/value heads of all pieces, and the first of each.
inline HeadRun all_heads(const HeadPieces& pieces) {
  const HeadRun &first = pieces.front().heads, &last = pieces.back().heads;
  return {first.first, last.first + last.count - first.first, first.kv_first,
          last.kv_first + last.kv_count - first.kv_first};
}

inline PieceBlock query_block(const AttentionProblem& p, const HeadRun& all, const HeadRun& piece,
                              std::int64_t width) {
  return {p.batch, piece.count, p.seq, width, all.count, piece.first - all.first, p.threads};
}
inline PieceBlock key_block(const AttentionProblem& p, const HeadRun& all, const HeadRun& piece) {
  return {p.batch, piece.kv_count, p.seq, p.head_dim, all.kv_count, piece.kv_first - all.kv_first, p.threads};
}

}  // namespace bench::attention
