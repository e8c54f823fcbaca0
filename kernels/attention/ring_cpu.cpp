// SPDX-License-Identifier: Apache-2.0
// Ring attention: every rank keeps its query rows, the blocks of keys and values go round, and the softmax
// state is carried across hops: out_i = sum over all ranks' keys j of 2^(s_ij - m_i) v_j / sum 2^(s_ij -
// m_i), s = log2(e) / sqrt(D) q_i . k_j.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). Algorithm: Liu, Zaharia, Abbeel 2023; layouts contiguous, zigzag
// (zhuzilin/ring-flash-attention) and striped (Brandon et al. 2023). The op list is ring_schedule's; each
// exchange is posted before the block at hand is computed and waited for after it, and the transport gets its
// turn between query blocks. Tiles run flash_tiled_cpu's code; with one rank this is flash_tiled_cpu. Masking
// is by global positions, which ascend on every rank: a block none of whose keys a row may see is skipped,
// one that it sees whole runs unmasked, the rest is a prefix. Ragged shares and empty ranks need no padding.
// Bytes on the wire per rank: (P-1) shares of K and V in the tensors' dtype, Hkv heads wide, one message a
// hop. Accumulation: fp32 (fp64 for fp64) state over all hops, normalised once, so the error does not grow
// with P. Right when L/P is long enough to hide a hop; causal work is balanced only by zigzag and striped
// (contiguous: P/(2P-1) at best).
#include <omp.h>

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/flash_tiled_cpu.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/softmax_state.hpp"
#include "kernels/attention/tile_pack.hpp"

namespace bench::attention {
namespace {

/// Rows of a head's state: whole strips of any engine (8, 6 or 4 rows).
constexpr std::int64_t kStripMultiple = 24;

struct RingPrepared : Prepared {
  std::vector<RingOp> schedule;
  std::vector<std::vector<std::int64_t>> positions;  // of every rank
  Tensor slots[kRingSlots];                          // each K (B, Hkv, n, D) then V (B, Hkv, n, D)
};

/// Everything a step needs; Real of T for state and scratch.
template <class T>
struct Ring {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  PackedShare<Real> share;      // of the block at hand
  StateArrays<Real> state;      // (B * H, state_rows)
  Slices scratch;               // a RowScratch a thread
  std::int64_t state_rows = 0;  // longest share in whole strips
  RingPrepared* prepared = nullptr;
  Link* link = nullptr;

  Ring(const AttentionProblem& problem, Carver& carver) : p(problem) {
    const std::int64_t longest = longest_share(p);
    state_rows = round_up(longest, kStripMultiple);
    share = PackedShare<Real>::carve(carver, p.batch * p.kv_heads, longest, p.head_dim,
                                     values_in_place<T>(p.head_dim));
    state = StateArrays<Real>::carve(carver, p.batch * p.heads * state_rows, p.head_dim);
    Carver piece;
    RowScratch<Real>::carve(piece, p.head_dim);
    scratch = carver.take_slices(p.threads, piece);
  }

  const std::vector<std::int64_t>& positions(int rank) const {
    return prepared->positions[static_cast<std::size_t>(rank)];
  }
  std::int64_t length(int rank) const { return static_cast<std::int64_t>(positions(rank).size()); }
  std::int64_t rows() const { return length(link->rank()); }
  std::int64_t blocks() const { return (rows() + kQueryBlock - 1) / kQueryBlock; }
  std::int64_t tasks() const { return p.batch * p.heads * blocks(); }
  /// Elements of K (or V) of a rank's block.
  std::int64_t elements(int rank) const { return p.batch * p.kv_heads * length(rank) * p.head_dim; }
  std::span<std::byte> message(int slot, int source) const {
    return {prepared->slots[slot].data(), static_cast<std::size_t>(2 * elements(source)) * sizeof(T)};
  }
};

/// One task: query block `block` of head `head` (over batch and heads).
struct Task {
  std::int64_t head, first, rows;
};
template <class T>
Task task_at(const Ring<T>& ring, std::int64_t i) {
  const std::int64_t first = (ring.blocks() - 1 - i % ring.blocks()) * kQueryBlock;
  return {i / ring.blocks(), first, std::min(kQueryBlock, ring.rows() - first)};
}
template <class T>
QueryRows<RealOf<T>> rows_of(const Ring<T>& ring, const Task& task, const RowScratch<RealOf<T>>& scratch) {
  return query_rows(scratch, ring.state, task.head * ring.state_rows + task.first, task.rows,
                    ring.p.head_dim);
}

/// How many keys of the block each row of the task sees; rows that pad the last strip see what the last row
/// sees.
template <class T>
void count_visible(const Ring<T>& ring, const Task& task, int source, std::int64_t padded_rows,
                   std::int64_t* visible) {
  const auto& keys = ring.positions(source);
  const auto& own = ring.positions(ring.link->rank());
  for (std::int64_t r = 0; r < padded_rows; ++r) {
    const auto row = static_cast<std::size_t>(task.first + std::min(r, task.rows - 1));
    visible[r] = ring.p.causal ? std::upper_bound(keys.begin(), keys.end(), own[row]) - keys.begin()
                               : ring.length(source);
  }
}

template <class T>
void attend_task(const Ring<T>& ring, Tensors& tensors, const Task& task, int slot, int source,
                 const RowScratch<RealOf<T>>& scratch) {
  const AttentionProblem& p = ring.p;
  const auto& engine = tile_engine<RealOf<T>>();
  count_visible(ring, task, source, round_up(task.rows, engine.rows), scratch.visible);
  const T* q = tensors["q"].as<T>() + (task.head * ring.rows() + task.first) * p.head_dim;
  pack_queries(q, task.rows, p.head_dim, engine.rows, p.scale() * kLog2E, scratch.q);
  const T* v = ring.prepared->slots[slot].template as<T>() + ring.elements(source);
  const auto panels = head_panels<T>(ring.share, v, task.head / p.group(), ring.length(source), p.head_dim);
  attend_block(engine, rows_of(ring, task, scratch), panels, p.head_dim, scratch.scores);
}

/// All local rows against the block of `source`; nothing when the future hides all of it.
template <class T>
void compute(const Ring<T>& ring, Tensors& tensors, int slot, int source) {
  const AttentionProblem& p = ring.p;
  if (ring.rows() == 0 || ring.length(source) == 0) return;
  if (p.causal && ring.positions(source).front() > ring.positions(ring.link->rank()).back()) return;
  const T* k = ring.prepared->slots[slot].template as<T>();
#pragma omp parallel num_threads(static_cast <int>(p.threads))
  {
    Carver own(ring.scratch[omp_get_thread_num()]);
    const auto scratch = RowScratch<RealOf<T>>::carve(own, p.head_dim);
    pack_share<T>(ring.share, k, k + ring.elements(source), p.batch * p.kv_heads, ring.length(source),
                  p.head_dim, tile_engine<RealOf<T>>().panel);
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < ring.tasks(); ++i) {
      attend_task(ring, tensors, task_at(ring, i), slot, source, scratch);
      if (omp_get_thread_num() == 0)
        ring.link->progress();  // the link belongs to the thread that entered run
    }
  }
}

template <class T>
void clear(const Ring<T>& ring) {
  for (std::int64_t i = 0; i < ring.tasks(); ++i) {
    const Task task = task_at(ring, i);
    clear_state(rows_of(ring, task, {}), round_up(task.rows, kStripMultiple), ring.p.head_dim);
  }
}

template <class T>
void finish(const Ring<T>& ring, Tensors& tensors) {
#pragma omp parallel for num_threads(static_cast <int>(ring.p.threads))
  for (std::int64_t i = 0; i < ring.tasks(); ++i) {
    const Task task = task_at(ring, i);
    const std::int64_t start = task.head * ring.rows() + task.first;
    finish_rows(rows_of(ring, task, {}), ring.p.head_dim, tensors["out"].as<T>() + start * ring.p.head_dim,
                tensors["lse"].as<RealOf<T>>() + start);
  }
}

template <class T>
void run_ring(const AttentionProblem& p, Tensors& tensors, Context& context) {
  Carver carver(context.workspace);
  Ring<T> ring(p, carver);
  ring.prepared = static_cast<RingPrepared*>(context.prepared);
  ring.link = context.link;
  const std::int64_t own = ring.elements(ring.link->rank());
  T* slot = ring.prepared->slots[0].template as<T>();
  std::copy_n(tensors["k"].as<T>(), own, slot);
  std::copy_n(tensors["v"].as<T>(), own, slot + own);
  clear(ring);
  std::unique_ptr<Transfer> exchange;
  for (const RingOp& op : ring.prepared->schedule) {
    if (op.kind == RingOp::Kind::post)
      exchange = ring.link->post(ring.message(op.slot_out, op.source_out), op.to,
                                 ring.message(op.slot_in, op.source_in), op.from);
    if (op.kind == RingOp::Kind::compute) compute(ring, tensors, op.slot_out, op.source_out);
    if (op.kind == RingOp::Kind::wait) exchange->wait();
  }
  finish(ring, tensors);
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_workspace_bytes(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    Ring<T> measured(p, carver);
    return carver.used_bytes();
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<RingPrepared>();
  prepared->schedule = ring_schedule(context.link->size(), context.link->rank());
  for (std::int64_t r = 0; r < p.ranks; ++r) prepared->positions.push_back(rank_positions(p, r));
  for (Tensor& slot : prepared->slots)
    slot = Tensor(p.dtype, {2, p.batch, p.kv_heads, longest_share(p), p.head_dim});
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled(problem, tensors, context);
  dispatch(p.dtype, [&]<class T>() { run_ring<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "ring attention over a Link: K/V shares go round, softmax state carried",
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
