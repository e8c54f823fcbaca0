// SPDX-License-Identifier: Apache-2.0
// All copies are of runs: whole heads on the side of the share, runs of consecutive positions on the side of
// the sequence (one run a rank in contiguous layout, two in zigzag, single rows in striped).
#include "kernels/attention/reshard.hpp"

#include <algorithm>

namespace bench::attention {
namespace {

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
HeadRun all_heads(const HeadPieces& pieces) {
  const HeadRun &first = pieces.front().heads, &last = pieces.back().heads;
  return {first.first, last.first + last.count - first.first, first.kv_first,
          last.kv_first + last.kv_count - first.kv_first};
}

PieceBlock query_block(const AttentionProblem& p, const HeadRun& all, const HeadRun& piece,
                       std::int64_t width) {
  return {p.batch, piece.count, p.seq, width, all.count, piece.first - all.first, p.threads};
}
PieceBlock key_block(const AttentionProblem& p, const HeadRun& all, const HeadRun& piece) {
  return {p.batch, piece.kv_count, p.seq, p.head_dim, all.kv_count, piece.kv_first - all.kv_first, p.threads};
}

}  // namespace

AttentionProblem piece_problem(const AttentionProblem& problem, const HeadRun& heads) {
  AttentionProblem piece = problem;
  piece.heads = heads.count;
  piece.kv_heads = heads.kv_count;
  piece.ranks = 1;
  return piece;
}

HeadPiece make_piece(const AttentionProblem& problem, const HeadRun& heads) {
  HeadPiece piece{heads, piece_problem(problem, heads), {}};
  const Shape queries{problem.batch, heads.count, problem.seq, problem.head_dim};
  const Shape keys{problem.batch, heads.kv_count, problem.seq, problem.head_dim};
  for (const char* name : {"q", "out"}) piece.tensors.add(name, Tensor(problem.dtype, queries));
  for (const char* name : {"k", "v"}) piece.tensors.add(name, Tensor(problem.dtype, keys));
  piece.tensors.add("lse", Tensor(accumulator_of(problem.dtype), {problem.batch, heads.count, problem.seq}));
  return piece;
}

template <class T>
void pack_inputs(const AttentionProblem& p, const Tensors& tensors, const HeadRun& heads,
                 std::byte* message) {
  const std::int64_t rows = tensors["q"].shape()[2];
  T* part = reinterpret_cast<T*>(message);
  const HeadBlock queries{p.batch, p.heads, rows, p.head_dim}, keys{p.batch, p.kv_heads, rows, p.head_dim};
  part = queries.extract(tensors["q"].as<T>(), heads.first, heads.count, part);
  part = keys.extract(tensors["k"].as<T>(), heads.kv_first, heads.kv_count, part);
  keys.extract(tensors["v"].as<T>(), heads.kv_first, heads.kv_count, part);
}

template <class T>
void unpack_inputs(const AttentionProblem& p, const std::byte* message,
                   std::span<const std::int64_t> positions, HeadPieces& pieces) {
  const HeadRun all = all_heads(pieces);
  const std::int64_t head = p.batch * static_cast<std::int64_t>(positions.size()) * p.head_dim;
  const T* q = reinterpret_cast<const T*>(message);
  const T* k = q + all.count * head;
  const T* v = k + all.kv_count * head;
  for (HeadPiece& piece : pieces) {
    query_block(p, all, piece.heads, p.head_dim).scatter(q, positions, piece.tensors["q"].as<T>());
    key_block(p, all, piece.heads).scatter(k, positions, piece.tensors["k"].as<T>());
    key_block(p, all, piece.heads).scatter(v, positions, piece.tensors["v"].as<T>());
  }
}

template <class T>
void pack_results(const AttentionProblem& p, const HeadPieces& pieces,
                  std::span<const std::int64_t> positions, std::byte* message) {
  using Real = RealOf<T>;
  const HeadRun all = all_heads(pieces);
  Real* lse = reinterpret_cast<Real*>(message);
  T* out = reinterpret_cast<T*>(lse + p.batch * all.count * static_cast<std::int64_t>(positions.size()));
  for (const HeadPiece& piece : pieces) {
    query_block(p, all, piece.heads, 1).gather(piece.tensors["lse"].as<Real>(), positions, lse);
    query_block(p, all, piece.heads, p.head_dim).gather(piece.tensors["out"].as<T>(), positions, out);
  }
}

template <class T>
void unpack_results(const AttentionProblem& p, const std::byte* message, const HeadRun& heads,
                    Tensors& tensors) {
  using Real = RealOf<T>;
  const std::int64_t rows = tensors["out"].shape()[2];
  const HeadBlock sums{p.batch, p.heads, rows, 1}, outputs{p.batch, p.heads, rows, p.head_dim};
  const Real* end = sums.insert(reinterpret_cast<const Real*>(message), heads.first, heads.count,
                                tensors["lse"].as<Real>());
  outputs.insert(reinterpret_cast<const T*>(end), heads.first, heads.count, tensors["out"].as<T>());
}

#define BS_INSTANTIATE(T)                                                                                  \
  template void pack_inputs<T>(const AttentionProblem&, const Tensors&, const HeadRun&, std::byte*);       \
  template void unpack_inputs<T>(const AttentionProblem&, const std::byte*, std::span<const std::int64_t>, \
                                 HeadPieces&);                                                             \
  template void pack_results<T>(const AttentionProblem&, const HeadPieces&, std::span<const std::int64_t>, \
                                std::byte*);                                                               \
  template void unpack_results<T>(const AttentionProblem&, const std::byte*, const HeadRun&, Tensors&)
BS_INSTANTIATE(double);
BS_INSTANTIATE(float);
BS_INSTANTIATE(Bf16);
BS_INSTANTIATE(F16);
#undef BS_INSTANTIATE

}  // namespace bench::attention
