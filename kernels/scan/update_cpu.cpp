// SPDX-License-Identifier: Apache-2.0
// update_cpu: one token's state update as one pass over the states, lanes = states; threads take runs of
// (batch entry, head) pairs.
//
// Shapes: x, z, out (B, H, P); dt (B, H, W); A (H, W, M); D, dt_bias (H, W); B, C (B, G, N); h0, h_last (B,
// H, P, N). Formulas in update.hpp; with a cache h0 is (slots, H, P, N).
//
// Algorithm: per pair d, and B and C of its group widened, go into scratch; then per element of the head its
// N states are read, decayed, fed, met with C and written, past the caches where all of them are larger than
// a cache (4 MB). Skip and gate follow for the head's P sums together.
//
// Work: 5 B H P N FLOPs, 6 untied and then an exp a state. Bytes: the least, two streams of states, which
// bind; where they lie in a cache, issue binds.
//
// Error against fp64: some eps of the state's type.
//
// Right choice: always. Wrong: for B H < threads; and for N < 16, whose lanes are partly empty.
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/isa.hpp"
#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/recurrence_rows.hpp"
#include "kernels/scan/row_output.hpp"
#include "kernels/scan/update.hpp"
#include "kernels/scan/vector_stream.hpp"
#include "kernels/scan/wide.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kPad = 16;  // one AVX-512 vector of fp32

/// A thread's scratch, rows padded to whole vectors.
template <class S>
struct Scratch {
  S *b, *c;  // (N), of one group
  S *d, *y;  // (P)
  static std::int64_t numbers(std::int64_t head_dim, std::int64_t states) {
    return 2 * round_up(states, kPad) + 2 * round_up(head_dim, kPad);
  }
  Scratch(S* from, std::int64_t head_dim, std::int64_t states)
      : b(from),
        c(b + round_up(states, kPad)),
        d(c + round_up(states, kPad)),
        y(d + round_up(head_dim, kPad)) {}
};

template <class V>
struct Row {
  using S = typename Wide<V>::S;
  S d, input, decay;  // of the element; decay only if tied
  const S *a, *from;  // (N); a only if untied
  S* to;              // (N)
};

/// One element of a head, the states at `n`, after their decay and input.
template <class V, bool kTied>
BS_INLINE V update_states(const Row<V>& row, const Scratch<typename Wide<V>::S>& s, std::int64_t n,
                          const V& h, const V& a) {
  const V decayed = kTied ? h * row.decay : h * Wide<V>::exp(a * row.d);
  return decayed + Wide<V>::load(s.b + n) * row.input;
}

/// All states of one element; returns their sum over C h.
template <class V, bool kTied>
BS_INLINE typename Wide<V>::S update_row(const Row<V>& row, const Scratch<typename Wide<V>::S>& s,
                                         std::int64_t states, bool streams) {
  constexpr std::int64_t kWidth = Wide<V>::kWidth;
  V sum = {};
  std::int64_t n = 0;
  for (; n + kWidth <= states; n += kWidth) {
    const V a = kTied ? V{} : Wide<V>::load(row.a + n);
    const V h = update_states<V, kTied>(row, s, n, Wide<V>::load(row.from + n), a);
    if (streams)
      stream_vector(row.to + n, h);
    else
      Wide<V>::store(row.to + n, h);
    sum += h * Wide<V>::load(s.c + n);
  }
  if (n < states) {
    const V a = kTied ? V{} : Wide<V>::load_some(row.a + n, states - n);
    const V h = update_states<V, kTied>(row, s, n, Wide<V>::load_some(row.from + n, states - n), a);
    Wide<V>::store_some(row.to + n, h, states - n);
    sum += h * Wide<V>::load(s.c + n);
  }
  return sum_vector(sum);
}

template <class V, class T, class S>
BS_INLINE void widen(const T* from, std::int64_t count, S* to) {
  for (std::int64_t i = 0; i < count; i += Wide<V>::kWidth)
    Wide<V>::store(to + i, Wide<V>::load_some(from + i, count - i));
}

/// out = (y + D x) silu(z) for a head.
template <class V, class T, class S>
BS_INLINE void finish(const UpdateViews<T>& v, bool tied, std::int64_t entry, std::int64_t head, const S* y) {
  const T *x = &v.x(entry, head, 0), *z = &v.z(entry, head, 0);
  const S* skip = &v.skip(head, 0);
  for (std::int64_t i = 0; i < v.head_dim(); i += Wide<V>::kWidth) {
    const std::int64_t left = v.head_dim() - i;
    const V zs = Wide<V>::load_some(z + i, left), xs = Wide<V>::load_some(x + i, left);
    const V skipped = tied ? xs * skip[0] : xs * Wide<V>::load_some(skip + i, left);
    Wide<V>::store_some(&v.out(entry, head, i), (Wide<V>::load(y + i) + skipped) * zs * Wide<V>::sigmoid(zs),
                        left);
  }
}

/// d of a head, W of them.
template <class V, class T, class S>
BS_INLINE void find_d(const UpdateViews<T>& v, std::int64_t entry, std::int64_t head, S* d) {
  const std::int64_t width = v.dt.extent[2];
  for (std::int64_t i = 0; i < width; i += Wide<V>::kWidth)
    Wide<V>::store(d + i, Wide<V>::softplus(Wide<V>::load_some(&v.dt(entry, head, i), width - i) +
                                            Wide<V>::load_some(&v.bias(head, i), width - i)));
}

template <class V, bool kTied, class T>
BS_INLINE void update_head(const UpdateViews<T>& v, std::int64_t entry, std::int64_t slot, std::int64_t head, bool streams,
                           const Scratch<StateOf<T>>& s) {
  using S = StateOf<T>;
  find_d<V>(v, entry, head, s.d);
  Row<V> row{};
  if constexpr (kTied) {
    V decay = V{} + s.d[0] * v.a(head, 0, 0);
    decay = Wide<V>::exp(decay);
    S lanes[static_cast<std::size_t>(Wide<V>::kWidth)];
    Wide<V>::store(lanes, decay);
    row.decay = lanes[0];
  }
  for (std::int64_t i = 0; i < v.head_dim(); ++i) {
    row.d = s.d[kTied ? 0 : i];
    row.input = row.d * static_cast<S>(load(v.x(entry, head, i)));
    row.a = &v.a(head, kTied ? 0 : i, 0);
    row.from = &v.h0(slot, head, i, 0);
    row.to = &v.h_last(entry, head, i, 0);
    s.y[i] = update_row<V, kTied>(row, s, v.states(), streams);
  }
  finish<V>(v, kTied, entry, head, s.y);
}

/// The pairs [begin, end), entry by entry.
struct Share {
  const UpdateProblem& p;
  Range pairs;
  bool streams;
};

template <class V, class T>
BS_INLINE void run_share(const UpdateViews<T>& v, const Share& share, StateOf<T>* scratch) {
  const Scratch<StateOf<T>> s(scratch, v.head_dim(), v.states());
  std::int64_t widened = -1;
  for (std::int64_t pair = share.pairs.begin; pair < share.pairs.end; ++pair) {
    const std::int64_t entry = pair / v.heads(), head = pair % v.heads(), group = v.group_of(head);
    const std::int64_t slot = share.p.slot_of(entry);
    if (slot < 0) {
      clear_head(v, entry, head);
      continue;
    }
    if (widened != entry * v.heads() + group) {
      widen<V>(&v.b(entry, group, 0), v.states(), s.b);
      widen<V>(&v.c(entry, group, 0), v.states(), s.c);
      widened = entry * v.heads() + group;
    }
    if (share.p.tied)
      update_head<V, true>(v, entry, slot, head, share.streams, s);
    else
      update_head<V, false>(v, entry, slot, head, share.streams, s);
  }
}

template <class T>
BS_TARGET_AVX512 void share_avx512(const UpdateViews<T>& v, const Share& share, StateOf<T>* scratch) {
  run_share<simd::F32x16>(v, share, scratch);
  BS_LEAVE_WIDE_VECTORS();
}
template <class T>
BS_TARGET_AVX2 void share_avx2(const UpdateViews<T>& v, const Share& share, StateOf<T>* scratch) {
  run_share<simd::F32x8>(v, share, scratch);
  BS_LEAVE_WIDE_VECTORS();
}

template <class T>
void run_share_here(const UpdateViews<T>& v, const Share& share, StateOf<T>* scratch) {
  const FlushDenormals flush;
  if constexpr (std::is_same_v<T, double>) {
    run_share<double>(v, share, scratch);
  } else {
    const Isa isa = best_isa();
    if (isa == Isa::avx512) return share_avx512(v, share, scratch);
    if (isa == Isa::avx2) return share_avx2(v, share, scratch);
    run_share<simd::F32x4>(v, share, scratch);
  }
}

std::int64_t scratch_numbers(const UpdateProblem& p) {
  return Scratch<float>::numbers(p.head_dim, p.state);
}

/// Workspace: a scratch per thread.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  return p.threads * scratch_numbers(p) * size_of(state_dtype(p.dtype));
}

template <class T>
void update(const UpdateProblem& p, Tensors& tensors, Context& context) {
  using S = StateOf<T>;
  const UpdateViews<T> views(tensors);
  const bool streams =
      p.state % kPad == 0 && streams_pay(state_dtype(p.dtype), p.batch * p.heads * p.head_dim, p.state);
  S* const scratch = reinterpret_cast<S*>(context.workspace.data());
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static, 1)
  for (std::int64_t part = 0; part < p.threads; ++part) {
    const Share share{p, part_of(p.batch * p.heads, 1, p.threads, part), streams};
    run_share_here(views, share, scratch + part * scratch_numbers(p));
    if (streams) end_streams();
  }
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<UpdateProblem>(problem);
  dispatch(p.dtype, [&]<class T>() { update<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "scan/update_cpu",
    .op = "ssm_update",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "one pass over the states, vector lanes = states, written past the caches when large",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
