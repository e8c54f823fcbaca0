// SPDX-License-Identifier: Apache-2.0
// The executor of RingOps over a Link.
#include "kernels/attention/kv_passing.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "kernels/attention/flash_tiled_cpu.hpp"
#include "kernels/attention/share_attention.hpp"

namespace bench::attention {
namespace {

template <class T>
struct KvPassing {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  ShareScratch<Real> scratch;
  ShareState<Real> state;
  KvPrepared* prepared = nullptr;
  Link* link = nullptr;
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> lanes;

  KvPassing(const AttentionProblem& problem, Carver& carver) : p(problem) {
    const std::int64_t longest = longest_share(p);
    scratch = ShareScratch<Real>::template carve<T>(carver, p, longest);
    state = ShareState<Real>::carve(carver, p, longest);
  }

  T* slot(int i) const { return prepared->slots[static_cast<std::size_t>(i)].template as<T>(); }
  /// Elements of K (or V) of a rank's block.
  std::int64_t elements(int rank) const {
    return share_elements(p, p.kv_heads, prepared->shares.length(rank));
  }
  std::span<std::byte> message(int index, int source) const {
    return std::as_writable_bytes(std::span(slot(index), static_cast<std::size_t>(2 * elements(source))));
  }
  std::unique_ptr<Transfer>& lane(const RingOp& op) { return lanes[static_cast<std::size_t>(op.lane)]; }

  void run(Tensors& tensors) {
    const Positions own = prepared->shares.of(link->rank());
    const QueryShare<T> queries{tensors["q"].as<T>(), own};
    load_own_block(tensors);
    clear_share(p, state, static_cast<std::int64_t>(own.size()));
    for (const RingOp& op : prepared->schedule) {
      if (op.kind == RingOp::Kind::post)
        lane(op) = link->post(message(op.slot_out, op.source_out), op.to, message(op.slot_in, op.source_in),
                              op.from);
      if (op.kind == RingOp::Kind::compute) compute(queries, op.slot_out, op.source_out);
      if (op.kind == RingOp::Kind::wait) lane(op)->wait();
    }
    finish_share(p, state, static_cast<std::int64_t>(own.size()), tensors["out"].as<T>(),
                 tensors["lse"].as<Real>());
  }

  void load_own_block(const Tensors& tensors) const {
    const std::int64_t count = elements(link->rank());
    std::copy_n(tensors["k"].as<T>(), count, slot(0));
    std::copy_n(tensors["v"].as<T>(), count, slot(0) + count);
  }

  void compute(const QueryShare<T>& queries, int index, int source) {
    const KeyShare<T> keys{slot(index), slot(index) + elements(source), prepared->shares.of(source)};
    if (!sees_any(p, queries.positions, keys.positions)) return;
    pack_keys(p, scratch, keys);
    attend_share(p, scratch, queries, keys, state, *link);
  }
};

}  // namespace

std::int64_t kv_passing_workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_workspace_bytes(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    const KvPassing<T> measured(p, carver);
    return carver.used_bytes();
  });
}

std::unique_ptr<Prepared> prepare_kv_passing(const Problem& problem, std::vector<RingOp> schedule) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<KvPrepared>();
  int last_slot = 0;
  for (const RingOp& op : schedule) last_slot = std::max({last_slot, op.slot_out, op.slot_in});
  prepared->schedule = std::move(schedule);
  prepared->shares = Shares(p);
  const std::int64_t longest = longest_share(p);
  for (int i = 0; i <= last_slot; ++i)
    prepared->slots.emplace_back(p.dtype, Shape{2, p.batch, p.kv_heads, longest, p.head_dim});
  return prepared;
}

void run_kv_passing(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled(problem, tensors, context);
  dispatch(p.dtype, [&]<class T>() {
    Carver carver(context.workspace);
    KvPassing<T> passing(p, carver);
    passing.prepared = static_cast<KvPrepared*>(context.prepared);
    passing.link = context.link;
    passing.run(tensors);
  });
}

}  // namespace bench::attention
