// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/reshard_bwd.hpp"

#include "kernels/attention/reshard_blocks.hpp"

namespace bench::attention {
namespace {

/// Calls f<W>() with W the type of key_gradient_dtype: T or RealOf<T>.
template <class T, class F>
void with_key_gradient_type(const AttentionProblem& p, F&& f) {
  if (key_gradient_dtype(p) == p.dtype) return f.template operator()<T>();
  f.template operator()<RealOf<T>>();
}

/// Adds a part (B, count, rows, D) to heads [first, first + count) of sums (B, heads, rows, D).
template <class W, class Real>
const W* add_heads(const HeadBlock& block, const W* part, const HeadRun& heads, Real* sums) {
  const std::int64_t head = block.rows * block.width, count = heads.kv_count * head;
  for (std::int64_t b = 0; b < block.batch; ++b, part += count) {
    Real* to = sums + (b * block.heads + heads.kv_first) * head;
    for (std::int64_t i = 0; i < count; ++i) to[i] += static_cast<Real>(load(part[i]));
  }
  return part;
}

}  // namespace

DType key_gradient_dtype(const AttentionProblem& problem) {
  return ranks_share_keys(problem) ? accumulator_of(problem.dtype) : problem.dtype;
}

HeadPiece make_grad_piece(const AttentionProblem& problem, const HeadRun& heads) {
  HeadPiece piece{heads, piece_problem(problem, heads), {}};
  const Shape rows{problem.batch, heads.count, problem.seq};
  const Shape queries{problem.batch, heads.count, problem.seq, problem.head_dim};
  const Shape keys{problem.batch, heads.kv_count, problem.seq, problem.head_dim};
  for (const char* name : {"q", "dout", "dq"}) piece.tensors.add(name, Tensor(problem.dtype, queries));
  for (const char* name : {"k", "v"}) piece.tensors.add(name, Tensor(problem.dtype, keys));
  for (const char* name : {"lse", "delta"})
    piece.tensors.add(name, Tensor(accumulator_of(problem.dtype), rows));
  for (const char* name : {"dk", "dv"}) piece.tensors.add(name, Tensor(key_gradient_dtype(problem), keys));
  return piece;
}

template <class T>
void pack_grad_inputs(const AttentionProblem& p, const Tensors& tensors, const RealOf<T>* delta,
                      const HeadRun& heads, std::byte* message) {
  using Real = RealOf<T>;
  const std::int64_t rows = tensors["q"].shape()[2];
  const HeadBlock scalars{p.batch, p.heads, rows, 1}, queries{p.batch, p.heads, rows, p.head_dim};
  const HeadBlock keys{p.batch, p.kv_heads, rows, p.head_dim};
  Real* state = reinterpret_cast<Real*>(message);
  state = scalars.extract(tensors["lse"].as<Real>(), heads.first, heads.count, state);
  state = scalars.extract(delta, heads.first, heads.count, state);
  T* part = reinterpret_cast<T*>(state);
  for (const char* name : {"q", "dout"})
    part = queries.extract(tensors[name].as<T>(), heads.first, heads.count, part);
  for (const char* name : {"k", "v"})
    part = keys.extract(tensors[name].as<T>(), heads.kv_first, heads.kv_count, part);
}

template <class T>
void unpack_grad_inputs(const AttentionProblem& p, const std::byte* message,
                        std::span<const std::int64_t> positions, HeadPieces& pieces) {
  using Real = RealOf<T>;
  const HeadRun all = all_heads(pieces);
  const std::int64_t rows = p.batch * static_cast<std::int64_t>(positions.size());
  const Real* lse = reinterpret_cast<const Real*>(message);
  const Real* delta = lse + all.count * rows;
  const T* q = reinterpret_cast<const T*>(delta + all.count * rows);
  const T* dout = q + all.count * rows * p.head_dim;
  const T* k = dout + all.count * rows * p.head_dim;
  const T* v = k + all.kv_count * rows * p.head_dim;
  for (HeadPiece& piece : pieces) {
    const PieceBlock scalars = query_block(p, all, piece.heads, 1);
    const PieceBlock queries = query_block(p, all, piece.heads, p.head_dim);
    const PieceBlock keys = key_block(p, all, piece.heads);
    scalars.scatter(lse, positions, piece.tensors["lse"].as<Real>());
    scalars.scatter(delta, positions, piece.tensors["delta"].as<Real>());
    queries.scatter(q, positions, piece.tensors["q"].as<T>());
    queries.scatter(dout, positions, piece.tensors["dout"].as<T>());
    keys.scatter(k, positions, piece.tensors["k"].as<T>());
    keys.scatter(v, positions, piece.tensors["v"].as<T>());
  }
}

template <class T>
void pack_gradients(const AttentionProblem& p, const HeadPieces& pieces,
                    std::span<const std::int64_t> positions, std::byte* message) {
  with_key_gradient_type<T>(p, [&]<class W>() {
    const HeadRun all = all_heads(pieces);
    const std::int64_t keys = all.kv_count * p.batch * static_cast<std::int64_t>(positions.size());
    W* dk = reinterpret_cast<W*>(message);
    W* dv = dk + keys * p.head_dim;
    T* dq = reinterpret_cast<T*>(dv + keys * p.head_dim);
    for (const HeadPiece& piece : pieces) {
      key_block(p, all, piece.heads).gather(piece.tensors["dk"].as<W>(), positions, dk);
      key_block(p, all, piece.heads).gather(piece.tensors["dv"].as<W>(), positions, dv);
      query_block(p, all, piece.heads, p.head_dim).gather(piece.tensors["dq"].as<T>(), positions, dq);
    }
  });
}

template <class T>
void unpack_gradients(const AttentionProblem& p, const std::byte* message, const HeadRun& heads,
                      Tensors& tensors, const KeySums<RealOf<T>>& sums) {
  const std::int64_t rows = tensors["dq"].shape()[2];
  const HeadBlock queries{p.batch, p.heads, rows, p.head_dim}, keys{p.batch, p.kv_heads, rows, p.head_dim};
  const bool shared = ranks_share_keys(p);
  with_key_gradient_type<T>(p, [&]<class W>() {
    const W* part = reinterpret_cast<const W*>(message);
    for (const char* name : {"dk", "dv"}) {
      RealOf<T>* sum = name[1] == 'k' ? sums.dk : sums.dv;
      if (shared) part = add_heads(keys, part, heads, sum);
      if (!shared)
        part = keys.insert(part, heads.kv_first, heads.kv_count, reinterpret_cast<W*>(tensors[name].data()));
    }
    queries.insert(reinterpret_cast<const T*>(part), heads.first, heads.count, tensors["dq"].as<T>());
  });
}

#define BS_INSTANTIATE(T)                                                                                    \
  template void pack_grad_inputs<T>(const AttentionProblem&, const Tensors&, const RealOf<T>*,               \
                                    const HeadRun&, std::byte*);                                             \
  template void unpack_grad_inputs<T>(const AttentionProblem&, const std::byte*,                             \
                                      std::span<const std::int64_t>, HeadPieces&);                           \
  template void pack_gradients<T>(const AttentionProblem&, const HeadPieces&, std::span<const std::int64_t>, \
                                  std::byte*);                                                               \
  template void unpack_gradients<T>(const AttentionProblem&, const std::byte*, const HeadRun&, Tensors&,     \
                                    const KeySums<RealOf<T>>&)
BS_INSTANTIATE(double);
BS_INSTANTIATE(float);
BS_INSTANTIATE(Bf16);
BS_INSTANTIATE(F16);
#undef BS_INSTANTIATE

}  // namespace bench::attention
