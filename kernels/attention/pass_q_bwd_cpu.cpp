// SPDX-License-Identifier: Apache-2.0
// Backward pass-Q attention: keys and values stay and gather their own gradients, dV_j = sum_i P_ij dout_i
// and dK_j = sum_i dS_ij q_i / sqrt(D); the query rows go round with all that their gradient needs, and what
// each rank adds to dQ_i = sum_j dS_ij k_j / sqrt(D) goes straight home, where it is summed.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare. A message
// holds lse and delta = rowsum(dout out), then q and dout: out itself stays at home. The exchange is that of
// pass_q_cpu (Yang et al. 2024, arXiv 2411.01783), to the op: pass_q_schedule, whose results are here parts
// of dQ. Blocks are flash_tiled_bwd_cpu's; one rank runs that kernel. Masking, layouts, ragged and empty
// shares as in ring_bwd_cpu. Accumulation: all three gradients in fp32 (fp64) over all hops, in a fixed
// order, and rounded once, so the error does not grow with P and the bits do not depend on timing. Bytes on
// the wire per rank: (P-1) 2 B H n D in the tensors' dtype for the rows, (P-1) 2 B H n numbers of fp32 (fp64)
// beside them, and (P-1) B H n D in fp32 (fp64) for dQ, whatever the number of key/value heads; with MHA in
// fp32 that is 3 parts for the ring's 4, with GQA the ring soon sends less. Right when there are few queries
// and many keys.
#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/flash_tiled_bwd_cpu.hpp"
#include "kernels/attention/grad_visible.hpp"
#include "kernels/attention/pass_q_schedule.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/attention/share_attention.hpp"
#include "kernels/attention/shares.hpp"

namespace bench::attention {
namespace {

struct PassQBwdPrepared : Prepared {
  std::vector<PassQOp> schedule;
  Shares shares;
  std::vector<Tensor> slots;  // rows: lse, delta, q, dout in bytes; parts of dQ: (B, H, n, D)
};

template <class T>
struct PassQBwd {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  GradWorkspace<Real> work;   // of the rows at hand
  Real* dq = nullptr;         // (B, H, n, D), sums of the own rows
  Real* key_sums = nullptr;   // dK and dV (2, B, Hkv, n, D)
  Real* key_part = nullptr;   // what the rows at hand add to them
  bool visitors_saw = false;  // the rows at hand saw a key, so that work holds a part of their dQ
  PassQBwdPrepared* prepared = nullptr;
  Link* link = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> lanes = {};

  PassQBwd(const AttentionProblem& problem, Carver& carver) : p(problem) {
    const std::int64_t longest = longest_share(p), keys = 2 * share_elements(p, p.kv_heads, longest);
    work = GradWorkspace<Real>::carve(carver, grad_shape(p, longest), longest, kReadInPlace<T>);
    dq = carver.take<Real>(share_elements(p, p.heads, longest));
    key_sums = carver.take<Real>(keys);
    key_part = carver.take<Real>(keys);
  }

  std::byte* slot(int i) const { return prepared->slots[static_cast<std::size_t>(i)].data(); }
  std::int64_t rows(int owner) const { return prepared->shares.length(owner); }
  std::int64_t elements(int owner) const { return share_elements(p, p.heads, rows(owner)); }
  std::int64_t key_elements() const { return share_elements(p, p.kv_heads, rows(link->rank())); }

  /// Where the parts of a message of `owner`'s rows lie; out is null, delta takes its place.
  GradRows<T> rows_in(int index, int owner) const {
    const Real* lse = reinterpret_cast<const Real*>(slot(index));
    const Real* delta = lse + p.batch * p.heads * rows(owner);
    const T* q = reinterpret_cast<const T*>(delta + p.batch * p.heads * rows(owner));
    return {q, q + elements(owner), nullptr, lse, delta};
  }
  std::span<std::byte> rows_message(int index, int owner) const {
    const std::int64_t bytes = 2 * elements(owner) * static_cast<std::int64_t>(sizeof(T)) +
                               2 * p.batch * p.heads * rows(owner) * static_cast<std::int64_t>(sizeof(Real));
    return {slot(index), static_cast<std::size_t>(bytes)};
  }
  std::span<std::byte> part_message(int index, int owner) const {
    return {slot(index), static_cast<std::size_t>(elements(owner)) * sizeof(Real)};
  }

  void load_own_rows(const Tensors& tensors) const {
    const int me = link->rank();
    const std::int64_t scalars = p.batch * p.heads * rows(me);
    Real* state = std::copy_n(tensors["lse"].as<Real>(), scalars, reinterpret_cast<Real*>(slot(0)));
    row_deltas(grad_shape(p, rows(me)), tensors["dout"].as<T>(), tensors["out"].as<T>(), state);
    T* part = reinterpret_cast<T*>(state + scalars);
    part = std::copy_n(tensors["q"].as<T>(), elements(me), part);
    std::copy_n(tensors["dout"].as<T>(), elements(me), part);
  }

  void run(Tensors& tensors) {
    const int me = link->rank();
    k = tensors["k"].as<T>();
    v = tensors["v"].as<T>();
    load_own_rows(tensors);
    for (const PassQOp& op : prepared->schedule) execute(op);
    store_all(dq, elements(me), tensors["dq"].as<T>());
    store_all(key_sums, key_elements(), tensors["dk"].as<T>());
    store_all(key_sums + key_elements(), key_elements(), tensors["dv"].as<T>());
  }
  static void store_all(const Real* from, std::int64_t count, T* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = store<T>(from[i]);
  }
  void add(const Real* part, std::int64_t count, Real* sums) const {
#pragma omp parallel for simd num_threads(static_cast <int>(p.threads))
    for (std::int64_t i = 0; i < count; ++i) sums[i] += part[i];
  }

  void execute(const PassQOp& op) {
    auto& lane = lanes[static_cast<std::size_t>(op.lane)];
    switch (op.kind) {
      case PassQOp::Kind::pass:
        lane = link->post(rows_message(op.slot_out, op.owner_out), op.to,
                          rows_message(op.slot_in, op.owner_in), op.from);
        break;
      case PassQOp::Kind::give:
        lane = link->post(part_message(op.slot_out, op.owner_out), op.to,
                          part_message(op.slot_in, op.owner_in), op.from);
        break;
      case PassQOp::Kind::wait:
        lane->wait();
        break;
      case PassQOp::Kind::compute:
        compute(op.slot_out, op.owner_out);
        break;
      case PassQOp::Kind::pack:
        take_dq(op.owner_out, reinterpret_cast<Real*>(slot(op.slot_out)));
        break;
      case PassQOp::Kind::merge:
        add(reinterpret_cast<const Real*>(slot(op.slot_in)), elements(op.owner_in), dq);
        break;
    }
  }

  /// The rows of `owner` meet the own keys. The own rows come first: they begin the sums of dK and dV.
  void compute(int index, int owner) {
    const bool at_home = owner == link->rank();
    const auto positions = prepared->shares.of(owner), keys = prepared->shares.of(link->rank());
    visitors_saw = sees_any(p, positions, keys);
    if (visitors_saw) {
      Real* sums = at_home ? key_sums : key_part;
      count_visible(p, positions, keys, work);
      begin_rows(work, grad_shape(p, rows(owner)), rows_in(index, owner));
      add_share<T>(work, grad_shape(p, rows(owner)), k, v, rows(link->rank()), sums, sums + key_elements(),
                   link);
      if (!at_home) add(key_part, 2 * key_elements(), key_sums);
    }
    if (at_home) take_dq(owner, dq);
  }

  /// dQ of the rows at hand, in full precision; zero when they saw nothing.
  void take_dq(int owner, Real* to) const {
    if (visitors_saw) finish_dq<Real>(work, grad_shape(p, rows(owner)), to);
    if (!visitors_saw) std::fill_n(to, elements(owner), Real{0});
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_bwd_workspace_bytes(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    const PassQBwd<T> measured(p, carver);
    return std::max(carver.used_bytes(), save_forward_workspace_bytes(p));
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  save_forward(p, tensors, context);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<PassQBwdPrepared>();
  prepared->schedule = pass_q_schedule(context.link->size(), context.link->rank());
  prepared->shares = Shares(p);
  const std::int64_t rows = p.batch * p.heads * longest_share(p),
                     sum_bytes = size_of(accumulator_of(p.dtype));
  const std::int64_t rows_bytes = rows * 2 * (p.head_dim * size_of(p.dtype) + sum_bytes);
  const std::int64_t part_bytes = rows * p.head_dim * sum_bytes;
  for (int i = 0; i < kPassQSlots; ++i)
    prepared->slots.emplace_back(DType::f64, Shape{((i < kQuerySlots ? rows_bytes : part_bytes) + 7) / 8});
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled_bwd(problem, tensors, context);
  dispatch(p.dtype, [&]<class T>() {
    Carver carver(context.workspace);
    PassQBwd<T> pass(p, carver);
    pass.prepared = static_cast<PassQBwdPrepared*>(context.prepared);
    pass.link = context.link;
    pass.run(tensors);
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/pass_q_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about =
        "backward: queries, dout, lse and delta go round over a Link, K/V stay, fp32 parts of dQ come home",
    .supports = supports_no_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
