// SPDX-License-Identifier: Apache-2.0
// The executor of RingBwdOps over a Link.
#include "kernels/attention/kv_passing_bwd.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "kernels/attention/flash_tiled_bwd_cpu.hpp"
#include "kernels/attention/grad_visible.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/saved_forward.hpp"

namespace bench::attention {
namespace {

using Lanes = std::array<std::unique_ptr<Transfer>, kExchangeLanes>;

/// Everything a step needs. A slot holds two blocks (B, Hkv, n, D) one behind the other: K and V, dK and dV.
template <class T>
struct KvPassingBwd {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  T* key_slots = nullptr;
  Real* sum_slots = nullptr;
  std::int64_t slot_elements = 0;
  GradWorkspace<Real> work;
  const KvBwdPrepared* prepared = nullptr;
  Link* link = nullptr;
  Lanes key_lanes = {}, sum_lanes = {};

  KvPassingBwd(const AttentionProblem& problem, Carver& carver, const BwdSlots& slots) : p(problem) {
    const std::int64_t longest = longest_share(p);
    slot_elements = 2 * share_elements(p, p.kv_heads, longest);
    key_slots = carver.take<T>(slots.keys * slot_elements);
    sum_slots = carver.take<Real>(slots.sums * slot_elements);
    work = GradWorkspace<Real>::carve(carver, grad_shape(p, longest), longest, kReadInPlace<T>);
  }

  T* keys(int slot) const { return key_slots + slot * slot_elements; }
  Real* sums(int slot) const { return sum_slots + slot * slot_elements; }
  GradShape shape() const { return grad_shape(p, prepared->shares.length(link->rank())); }
  /// Elements of K (or V, dK, dV) of a rank's block.
  std::int64_t elements(int rank) const {
    return share_elements(p, p.kv_heads, prepared->shares.length(rank));
  }
  template <class E>
  std::span<std::byte> message(E* slot, int source) const {
    return std::as_writable_bytes(std::span(slot, static_cast<std::size_t>(2 * elements(source))));
  }

  void run(Tensors& tensors) {
    const std::int64_t own = elements(link->rank());
    std::copy_n(tensors["k"].as<T>(), own, keys(0));
    std::copy_n(tensors["v"].as<T>(), own, keys(0) + own);
    begin_rows(work, shape(), grad_rows<T>(tensors));
    for (const RingBwdOp& op : prepared->schedule) execute(op);
    finish_dq(work, shape(), tensors["dq"].as<T>());
    T *dk = tensors["dk"].as<T>(), *dv = tensors["dv"].as<T>();
    for (std::int64_t i = 0; i < own; ++i) {
      dk[i] = store<T>(sums(0)[i]);
      dv[i] = store<T>(sums(0)[own + i]);
    }
  }

  void execute(const RingBwdOp& op) {
    const auto lane = static_cast<std::size_t>(op.lane);
    switch (op.kind) {
      case RingBwdOp::Kind::post_keys:
        key_lanes[lane] = link->post(message(keys(op.slot_out), op.source_out), op.to,
                                     message(keys(op.slot_in), op.source_in), op.from);
        break;
      case RingBwdOp::Kind::post_sums:
        sum_lanes[lane] = link->post(message(sums(op.slot_out), op.source_out), op.to,
                                     message(sums(op.slot_in), op.source_in), op.from);
        break;
      case RingBwdOp::Kind::compute:
        compute(keys(op.slot_out), op.source_out, sums(op.slot_in));
        break;
      case RingBwdOp::Kind::wait_keys:
        key_lanes[lane]->wait();
        break;
      case RingBwdOp::Kind::wait_sums:
        sum_lanes[lane]->wait();
        break;
      case RingBwdOp::Kind::add:
        add(sums(op.slot_out), 2 * elements(op.source_out), sums(op.slot_in));
        break;
    }
  }

  /// All local rows against the block of `source`: adds to dQ, writes dK and dV of the block.
  void compute(const T* block, int source, Real* to) const {
    const Positions rows = prepared->shares.of(link->rank()), columns = prepared->shares.of(source);
    const std::int64_t count = elements(source);
    if (!sees_any(p, rows, columns)) {
      std::fill_n(to, 2 * count, Real{0});
      return;
    }
    count_visible(p, rows, columns, work);
    add_share<T>(work, shape(), block, block + count, prepared->shares.length(source), to, to + count, link);
  }

  void add(const Real* from, std::int64_t count, Real* to) const {
#pragma omp parallel for simd num_threads(static_cast <int>(p.threads))
    for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
  }
};

}  // namespace

BwdSlots slots_of(const std::vector<RingBwdOp>& schedule) {
  BwdSlots slots;
  const auto use = [](int& count, int slot) { count = std::max(count, slot + 1); };
  for (const RingBwdOp& op : schedule) {
    const bool sums_only = op.kind == RingBwdOp::Kind::post_sums || op.kind == RingBwdOp::Kind::add;
    use(sums_only ? slots.sums : slots.keys, op.slot_out);
    use(op.kind == RingBwdOp::Kind::post_keys ? slots.keys : slots.sums, op.slot_in);
  }
  return slots;
}

std::int64_t kv_passing_bwd_workspace_bytes(const Problem& problem, BwdSchedule schedule) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_bwd_workspace_bytes(problem);
  const BwdSlots slots = slots_of(schedule(static_cast<int>(p.ranks), 0));
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    const KvPassingBwd<T> measured(p, carver, slots);
    return std::max(carver.used_bytes(), save_forward_workspace_bytes(p));
  });
}

std::unique_ptr<Prepared> prepare_kv_passing_bwd(const Problem& problem, Tensors& tensors, Context& context,
                                                 BwdSchedule schedule) {
  const auto& p = problem_as<AttentionProblem>(problem);
  auto prepared = std::make_unique<KvBwdPrepared>();
  prepared->schedule = schedule(context.link->size(), context.link->rank());
  prepared->shares = Shares(p);
  save_forward(p, tensors, context);
  return prepared;
}

void run_kv_passing_bwd(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled_bwd(problem, tensors, context);
  const auto* prepared = static_cast<const KvBwdPrepared*>(context.prepared);
  dispatch(p.dtype, [&]<class T>() {
    Carver carver(context.workspace);
    KvPassingBwd<T> passing(p, carver, slots_of(prepared->schedule));
    passing.prepared = prepared;
    passing.link = context.link;
    passing.run(tensors);
  });
}

}  // namespace bench::attention
