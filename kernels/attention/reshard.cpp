// SPDX-License-Identifier: Apache-2.0
// The forward pass's messages; the copies themselves are reshard_blocks'.
#include "kernels/attention/reshard.hpp"

#include <algorithm>

#include "kernels/attention/reshard_blocks.hpp"

namespace bench::attention {

AttentionProblem piece_problem(const AttentionProblem& problem, const HeadRun& heads) {
  AttentionProblem piece = problem;
  piece.heads = heads.count;
  piece.kv_heads = heads.kv_count;
  piece.ranks = 1;
  return piece;
}

std::int64_t neediest_piece(const AttentionProblem& problem, std::int64_t (*bytes)(const Problem&)) {
  std::int64_t most = 0;
  for (std::int64_t rank = 0; rank < problem.ranks; ++rank)
    for (const HeadRun& piece : uniform_pieces(problem, rank_heads(problem, rank)))
      most = std::max(most, bytes(piece_problem(problem, piece)));
  return most;
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
