// SPDX-License-Identifier: Apache-2.0
// One task is a block of at most kQueryBlock rows of one head; the longest causal rows go first, so that the
// last tasks to be handed out are short.
#include "kernels/attention/share_attention.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/attention/softmax_state.hpp"

namespace bench::attention {
namespace {

/// Query block of head `head` (over batch and heads).
struct Task {
  std::int64_t head, first, rows;
};

struct Tasks {
  std::int64_t heads, rows, blocks;

  Tasks(const AttentionProblem& p, std::int64_t share_rows)
      : heads(p.batch * p.heads), rows(share_rows), blocks((share_rows + kQueryBlock - 1) / kQueryBlock) {}
  std::int64_t count() const { return heads * blocks; }
  Task at(std::int64_t i) const {
    const std::int64_t first = (blocks - 1 - i % blocks) * kQueryBlock;
    return {i / blocks, first, std::min(kQueryBlock, rows - first)};
  }
};

template <class Real>
QueryRows<Real> rows_of(const AttentionProblem& p, const ShareState<Real>& state, const Task& task,
                        const RowScratch<Real>& scratch) {
  return query_rows(scratch, state.arrays, task.head * state.head_rows + task.first, task.rows, p.head_dim,
                    tile_engine<Real>().rows);  // the engine of pairs has strips as long
}

/// How many of the keys each row of the task sees; rows that pad the last strip see what the last row sees.
void count_visible(bool causal, Positions queries, Positions keys, const Task& task, std::int64_t padded_rows,
                   std::int64_t* visible) {
  for (std::int64_t r = 0; r < padded_rows; ++r) {
    const auto row = static_cast<std::size_t>(task.first + std::min(r, task.rows - 1));
    const auto end = causal ? std::upper_bound(keys.begin(), keys.end(), queries[row]) : keys.end();
    visible[r] = end - keys.begin();
  }
}

template <class T>
void attend_task(const AttentionProblem& p, const PackedShare<RealOf<T>>& panels,
                 const QueryShare<T>& queries, const KeyShare<T>& keys, const Task& task,
                 QueryRows<RealOf<T>> rows, const RowScratch<RealOf<T>>& scratch) {
  const auto& engine = tile_engine_for<T>();
  const auto key_count = static_cast<std::int64_t>(keys.positions.size());
  count_visible(p.causal, queries.positions, keys.positions, task, round_up(task.rows, engine.rows),
                scratch.visible);
  const std::int64_t first_row = task.head * static_cast<std::int64_t>(queries.positions.size()) + task.first;
  rows.scale = pack_queries(queries.q + first_row * p.head_dim, task.rows, p.head_dim, engine,
                            p.scale() * kLog2E, scratch.q);
  const auto kv =
      head_rows<T>(panels, keys.k, keys.v, task.head / p.group(), key_count, p.head_dim, engine.pairs);
  attend_block(engine, rows, kv, p.head_dim, scratch.scores);
}

/// One row: its state takes in a partial result whose keys have the log-sum-exp `lse` (natural).
template <class Real>
void merge_row(const QueryRows<Real>& rows, std::int64_t r, std::int64_t head_dim, const Real* out,
               Real lse) {
  if (std::isinf(lse) && lse < Real{0}) return;  // no key seen: nothing to add
  const SoftmaxState<Real> mine{rows.max[r], rows.sum[r]};
  const SoftmaxState<Real> other{lse * static_cast<Real>(kLog2E), Real{1}};
  const SoftmaxState<Real> both = merge(mine, other);
  const Real keep = std::exp2(mine.max - both.max), add = std::exp2(other.max - both.max);
  Real* acc = rows.output(r, head_dim);
  for (std::int64_t d = 0; d < head_dim; ++d, acc += rows.strip) *acc = *acc * keep + out[d] * add;
  rows.max[r] = both.max;
  rows.sum[r] = both.sum;
}

}  // namespace

template <class Real>
ShareState<Real> ShareState<Real>::carve(Carver& carver, const AttentionProblem& p, std::int64_t longest) {
  ShareState state;
  state.head_rows = round_up(longest, kStripMultiple);
  state.arrays = StateArrays<Real>::carve(carver, p.batch * p.heads * state.head_rows, p.head_dim);
  return state;
}

template <class Real>
template <class T>
ShareScratch<Real> ShareScratch<Real>::carve(Carver& carver, const AttentionProblem& p,
                                             std::int64_t longest) {
  ShareScratch scratch;
  scratch.panels =
      PackedShare<Real>::carve(carver, p.batch * p.kv_heads, longest, p.head_dim, kReadInPlace<T>);
  Carver piece;
  RowScratch<Real>::carve(piece, p.head_dim);
  scratch.threads = carver.take_slices(p.threads, piece);
  return scratch;
}

bool sees_any(const AttentionProblem& p, Positions queries, Positions keys) {
  if (queries.empty() || keys.empty()) return false;
  return !p.causal || keys.front() <= queries.back();
}

template <class Real>
void clear_share(const AttentionProblem& p, const ShareState<Real>& state, std::int64_t rows) {
  const Tasks tasks(p, rows);
  for (std::int64_t i = 0; i < tasks.count(); ++i) {
    const Task task = tasks.at(i);
    clear_state(rows_of(p, state, task, {}), round_up(task.rows, kStripMultiple), p.head_dim);
  }
}

template <class T>
void pack_keys(const AttentionProblem& p, const ShareScratch<RealOf<T>>& scratch, const KeyShare<T>& keys) {
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  pack_share<T>(scratch.panels, keys.k, keys.v, p.batch * p.kv_heads,
                static_cast<std::int64_t>(keys.positions.size()), p.head_dim, tile_engine_for<T>().pairs);
}

template <class T>
void attend_share(const AttentionProblem& p, const ShareScratch<RealOf<T>>& scratch,
                  const QueryShare<T>& queries, const KeyShare<T>& keys, const ShareState<RealOf<T>>& state,
                  Link& link) {
  const Tasks tasks(p, static_cast<std::int64_t>(queries.positions.size()));
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    Carver own(scratch.threads[omp_get_thread_num()]);
    const auto rows = RowScratch<RealOf<T>>::carve(own, p.head_dim);
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < tasks.count(); ++i) {
      const Task task = tasks.at(i);
      attend_task<T>(p, scratch.panels, queries, keys, task, rows_of(p, state, task, rows), rows);
      if (omp_get_thread_num() == 0) link.progress();  // the link belongs to the calling thread
    }
  }
}

template <class Out>
void finish_share(const AttentionProblem& p, const ShareState<RealOf<Out>>& state, std::int64_t rows,
                  Out* out, RealOf<Out>* lse) {
  const Tasks tasks(p, rows);
#pragma omp parallel for num_threads(static_cast <int>(p.threads))
  for (std::int64_t i = 0; i < tasks.count(); ++i) {
    const Task task = tasks.at(i);
    const std::int64_t start = task.head * rows + task.first;
    finish_rows(rows_of(p, state, task, {}), p.head_dim, out + start * p.head_dim, lse + start);
  }
}

template <class Real>
void merge_share(const AttentionProblem& p, const ShareState<Real>& state, std::int64_t rows, const Real* out,
                 const Real* lse) {
  const Tasks tasks(p, rows);
#pragma omp parallel for num_threads(static_cast <int>(p.threads))
  for (std::int64_t i = 0; i < tasks.count(); ++i) {
    const Task task = tasks.at(i);
    const std::int64_t start = task.head * rows + task.first;
    const auto own = rows_of(p, state, task, {});
    for (std::int64_t r = 0; r < task.rows; ++r)
      merge_row(own, r, p.head_dim, out + (start + r) * p.head_dim, lse[start + r]);
  }
}

#define BS_INSTANTIATE_REAL(Real)                                                                        \
  template struct ShareState<Real>;                                                                      \
  template void clear_share(const AttentionProblem&, const ShareState<Real>&, std::int64_t);             \
  template void merge_share(const AttentionProblem&, const ShareState<Real>&, std::int64_t, const Real*, \
                            const Real*)
BS_INSTANTIATE_REAL(double);
BS_INSTANTIATE_REAL(float);
#undef BS_INSTANTIATE_REAL

#define BS_INSTANTIATE(T)                                                                                   \
  template ShareScratch<RealOf<T>> ShareScratch<RealOf<T>>::carve<T>(Carver&, const AttentionProblem&,      \
                                                                     std::int64_t);                         \
  template void pack_keys(const AttentionProblem&, const ShareScratch<RealOf<T>>&, const KeyShare<T>&);     \
  template void attend_share(const AttentionProblem&, const ShareScratch<RealOf<T>>&, const QueryShare<T>&, \
                             const KeyShare<T>&, const ShareState<RealOf<T>>&, Link&);                      \
  template void finish_share(const AttentionProblem&, const ShareState<RealOf<T>>&, std::int64_t, T*,       \
                             RealOf<T>*)
BS_INSTANTIATE(double);
BS_INSTANTIATE(float);
BS_INSTANTIATE(Bf16);
BS_INSTANTIATE(F16);
#undef BS_INSTANTIATE

}  // namespace bench::attention
