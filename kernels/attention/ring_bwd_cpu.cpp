// SPDX-License-Identifier: Apache-2.0
// Backward ring attention: every rank keeps its query rows and sums their dQ, the blocks of keys and values
// go round, and the sums of dK and dV travel with their block: dV_j = sum over all ranks' rows i of P_ij
// dout_i, dK_j = sum dS_ij q_i / sqrt(D), dQ_i = sum over all blocks' keys j of dS_ij k_j / sqrt(D).
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare.
// Algorithm: Liu, Zaharia, Abbeel 2023; the op list is ring_bwd_schedule's. Keys for the next step and sums
// of the last one are under way while the block at hand is computed by flash_tiled_bwd_cpu's code; with one
// rank this is flash_tiled_bwd_cpu. Layouts, masking by global positions, ragged shares and empty ranks as in
// ring_cpu: a rank that sees nothing of a block passes its sums on all the same. Work: 10 D flops and one
// exponential a visible pair. Bytes on the wire per rank: P-1 shares of K and V in the tensors' dtype and P-1
// of dK and dV in fp32 (fp64 for fp64 tensors), Hkv heads wide. Accumulation: all three gradients in fp32
// (fp64) over all hops, rounded once, so the error does not grow with P. Right when L/P is long enough to
// hide a hop: with e bytes an element it carries 1 + 4/e (fp64: 2) times what a forward hop does, beside 2.5
// times the work. Causal work is balanced only by zigzag and striped.
#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/flash_tiled_bwd_cpu.hpp"
#include "kernels/attention/ring_bwd_schedule.hpp"
#include "kernels/attention/saved_forward.hpp"

namespace bench::attention {
namespace {

struct RingPrepared : Prepared {
  std::vector<RingBwdOp> schedule;
  std::vector<std::vector<std::int64_t>> positions;  // of every rank
};

/// Everything a step needs. A slot holds two blocks (B, Hkv, n, D) one behind the other: K and V, dK and dV.
template <class T>
struct Ring {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  T* keys[kRingKeySlots] = {};
  Real* sums[kRingSumSlots] = {};
  GradWorkspace<Real> work;
  const RingPrepared* prepared = nullptr;
  Link* link = nullptr;

  Ring(const AttentionProblem& problem, Carver& carver) : p(problem) {
    const std::int64_t longest = longest_share(p), slot = 2 * p.batch * p.kv_heads * longest * p.head_dim;
    for (T*& keys_slot : keys) keys_slot = carver.take<T>(slot);
    for (Real*& sums_slot : sums) sums_slot = carver.take<Real>(slot);
    work =
        GradWorkspace<Real>::carve(carver, grad_shape(p, longest), longest, values_in_place<T>(p.head_dim));
  }

  const std::vector<std::int64_t>& positions(int rank) const {
    return prepared->positions[static_cast<std::size_t>(rank)];
  }
  std::int64_t length(int rank) const { return static_cast<std::int64_t>(positions(rank).size()); }
  GradShape shape() const { return grad_shape(p, length(link->rank())); }
  /// Elements of K (or V, dK, dV) of a rank's block.
  std::int64_t elements(int rank) const { return p.batch * p.kv_heads * length(rank) * p.head_dim; }
};

template <class E>
std::span<std::byte> bytes_of(E* slot, std::int64_t elements) {
  return {reinterpret_cast<std::byte*>(slot), static_cast<std::size_t>(elements) * sizeof(E)};
}

/// How many keys of the block each local row sees; rows that pad the last strip see what the last row sees.
template <class T>
void count_visible(const Ring<T>& ring, int source) {
  const auto& keys = ring.positions(source);
  const auto& own = ring.positions(ring.link->rank());
  for (std::int64_t r = 0; r < ring.work.row_stride; ++r) {
    const auto row = static_cast<std::size_t>(std::min(r, static_cast<std::int64_t>(own.size()) - 1));
    ring.work.visible[r] = ring.p.causal ? std::upper_bound(keys.begin(), keys.end(), own[row]) - keys.begin()
                                         : ring.length(source);
  }
}

/// All local rows against the block of `source`: adds to dQ, writes dK and dV of the block.
template <class T>
void compute(const Ring<T>& ring, const T* keys, int source, RealOf<T>* sums) {
  const auto& own = ring.positions(ring.link->rank());
  const std::int64_t elements = ring.elements(source);
  const bool nothing =
      own.empty() || elements == 0 || (ring.p.causal && ring.positions(source).front() > own.back());
  if (nothing) {
    std::fill_n(sums, 2 * elements, RealOf<T>{0});
    return;
  }
  count_visible(ring, source);
  add_share<T>(ring.work, ring.shape(), keys, keys + elements, ring.length(source), sums, sums + elements,
               ring.link);
}

template <class T>
std::unique_ptr<Transfer> post(const Ring<T>& ring, const RingBwdOp& op) {
  const std::int64_t out = 2 * ring.elements(op.source_out), in = 2 * ring.elements(op.source_in);
  if (op.kind == RingBwdOp::Kind::post_keys)
    return ring.link->post(bytes_of(ring.keys[op.slot_out], out), op.to, bytes_of(ring.keys[op.slot_in], in),
                           op.from);
  return ring.link->post(bytes_of(ring.sums[op.slot_out], out), op.to, bytes_of(ring.sums[op.slot_in], in),
                         op.from);
}

template <class T>
void add(const Ring<T>& ring, const RingBwdOp& op) {
  const RealOf<T>* from = ring.sums[op.slot_out];
  RealOf<T>* to = ring.sums[op.slot_in];
  const std::int64_t count = 2 * ring.elements(op.source_out);
#pragma omp parallel for simd num_threads(static_cast <int>(ring.p.threads))
  for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
}

template <class T>
void play(const Ring<T>& ring) {
  using Kind = RingBwdOp::Kind;
  std::unique_ptr<Transfer> keys, sums;
  for (const RingBwdOp& op : ring.prepared->schedule) {
    if (op.kind == Kind::post_keys) keys = post(ring, op);
    if (op.kind == Kind::post_sums) sums = post(ring, op);
    if (op.kind == Kind::compute) compute(ring, ring.keys[op.slot_out], op.source_out, ring.sums[op.slot_in]);
    if (op.kind == Kind::wait_keys) keys->wait();
    if (op.kind == Kind::wait_sums) sums->wait();
    if (op.kind == Kind::add) add(ring, op);
  }
}

template <class T>
void run_ring(const AttentionProblem& p, Tensors& tensors, Context& context) {
  Carver carver(context.workspace);
  Ring<T> ring(p, carver);
  ring.prepared = static_cast<RingPrepared*>(context.prepared);
  ring.link = context.link;
  const std::int64_t own = ring.elements(ring.link->rank());
  std::copy_n(tensors["k"].as<T>(), own, ring.keys[0]);
  std::copy_n(tensors["v"].as<T>(), own, ring.keys[0] + own);
  begin_rows(ring.work, ring.shape(), grad_rows<T>(tensors));
  play(ring);
  finish_dq(ring.work, ring.shape(), tensors["dq"].as<T>());
  T *dk = tensors["dk"].as<T>(), *dv = tensors["dv"].as<T>();
  for (std::int64_t i = 0; i < own; ++i) {
    dk[i] = store<T>(ring.sums[0][i]);
    dv[i] = store<T>(ring.sums[0][own + i]);
  }
}

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_bwd_workspace_bytes(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    Ring<T> measured(p, carver);
    return std::max(carver.used_bytes(), save_forward_workspace_bytes(p));
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  auto prepared = std::make_unique<RingPrepared>();
  prepared->schedule = ring_bwd_schedule(context.link->size(), context.link->rank());
  for (std::int64_t r = 0; r < p.ranks; ++r) prepared->positions.push_back(rank_positions(p, r));
  save_forward(p, tensors, context);
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled_bwd(problem, tensors, context);
  dispatch(p.dtype, [&]<class T>() { run_ring<T>(p, tensors, context); });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ring_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "backward ring over a Link: K/V shares go round, fp32 sums of dK and dV travel with them",
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
