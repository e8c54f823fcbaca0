// SPDX-License-Identifier: Apache-2.0
// Pass-Q attention: keys and values stay, the query rows go round, and what each rank finds for them goes
// straight home, where it is merged: out = sum_r w_r out_r with w_r = exp(lse_r - lse), lse = log sum_r
// exp(lse_r), over the parts r of the keys.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). Source: Yang et al. 2024 (arXiv 2411.01783), returning results behind the next
// compute as TokenRing does; the op list is pass_q_schedule's. Keys are packed once for all hops. Masking is
// by global positions, as in ring_cpu; layouts, ragged and empty shares too; one rank runs flash_tiled_cpu.
// A partial result travels as fp32 (fp64) normalised rows and their log-sum-exp, merged with the state
// (max, sum, acc) in fp32 (fp64) in a fixed order, so the error does not grow with P and the bits do not
// depend on timing; rows that saw no key of a rank have lse minus infinity and add nothing.
// Bytes on the wire per rank: (P-1) B H n D in the tensors' dtype for the queries and (P-1) B H n (D + 1) in
// fp32 (fp64) for the results, whatever the number of keys: right when there are few queries and many keys
// (decoding, prefill against a long cache); with as many queries as keys the ring moves less.
#include "kernels/attention/pass_q_schedule.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention/flash_tiled_cpu.hpp"
#include "kernels/attention/ring_schedule.hpp"
#include "kernels/attention/share_attention.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

struct PassQPrepared : Prepared {
  std::vector<PassQOp> schedule;
  Shares shares;
  std::vector<Tensor> slots;  // queries (B, H, n, D); results (B, H, n, D) then lse (B, H, n)
};

template <class T>
struct PassQ {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  ShareScratch<Real> scratch;
  ShareState<Real> own, visitors;
  PassQPrepared* prepared = nullptr;
  Link* link = nullptr;
  KeyShare<T> keys;
  std::array<std::unique_ptr<Transfer>, kExchangeLanes> lanes;

  PassQ(const AttentionProblem& problem, Carver& carver) : p(problem) {
    const std::int64_t longest = longest_share(p);
    scratch = ShareScratch<Real>::template carve<T>(carver, p, longest);
    own = ShareState<Real>::carve(carver, p, longest);
    visitors = ShareState<Real>::carve(carver, p, longest);
  }

  template <class Element>
  Element* slot(int i) const {
    return prepared->slots[static_cast<std::size_t>(i)].template as<Element>();
  }
  std::int64_t rows(int owner) const { return prepared->shares.length(owner); }
  std::int64_t elements(int owner) const { return share_elements(p, p.heads, rows(owner)); }

  std::span<std::byte> queries(int index, int owner) const {
    return std::as_writable_bytes(std::span(slot<T>(index), static_cast<std::size_t>(elements(owner))));
  }
  std::span<std::byte> results(int index, int owner) const {
    const std::int64_t count = elements(owner) + p.batch * p.heads * rows(owner);
    return std::as_writable_bytes(std::span(slot<Real>(index), static_cast<std::size_t>(count)));
  }

  void run(Tensors& tensors) {
    const int me = link->rank();
    std::copy_n(tensors["q"].as<T>(), elements(me), slot<T>(0));
    keys = {tensors["k"].as<T>(), tensors["v"].as<T>(), prepared->shares.of(me)};
    pack_keys(p, scratch, keys);
    clear_share(p, own, rows(me));
    for (const PassQOp& op : prepared->schedule) execute(op);
    finish_share(p, own, rows(me), tensors["out"].as<T>(), tensors["lse"].as<Real>());
  }

  void execute(const PassQOp& op) {
    auto& lane = lanes[static_cast<std::size_t>(op.lane)];
    switch (op.kind) {
      case PassQOp::Kind::pass:
        lane =
            link->post(queries(op.slot_out, op.owner_out), op.to, queries(op.slot_in, op.owner_in), op.from);
        break;
      case PassQOp::Kind::give:
        lane =
            link->post(results(op.slot_out, op.owner_out), op.to, results(op.slot_in, op.owner_in), op.from);
        break;
      case PassQOp::Kind::wait:
        lane->wait();
        break;
      case PassQOp::Kind::compute:
        compute(op.slot_out, op.owner_out);
        break;
      case PassQOp::Kind::pack:
        finish_share(p, visitors, rows(op.owner_out), slot<Real>(op.slot_out),
                     slot<Real>(op.slot_out) + elements(op.owner_out));
        break;
      case PassQOp::Kind::merge:
        merge_share(p, own, rows(op.owner_in), slot<Real>(op.slot_in),
                    slot<Real>(op.slot_in) + elements(op.owner_in));
        break;
    }
  }

  void compute(int index, int owner) {
    const bool at_home = owner == link->rank();
    if (!at_home) clear_share(p, visitors, rows(owner));
    const QueryShare<T> share{slot<T>(index), prepared->shares.of(owner)};
    if (!sees_any(p, share.positions, keys.positions)) return;
    attend_share(p, scratch, share, keys, at_home ? own : visitors, *link);
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return flash_tiled_workspace_bytes(problem);
  return dispatch(p.dtype, [&]<class T>() {
    Carver carver;
    const PassQ<T> measured(p, carver);
    return carver.used_bytes();
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<PassQPrepared>();
  prepared->schedule = pass_q_schedule(context.link->size(), context.link->rank());
  prepared->shares = Shares(p);
  const std::int64_t longest = longest_share(p);
  for (int i = 0; i < kPassQSlots; ++i) {
    const bool query = i < kQuerySlots;
    prepared->slots.emplace_back(query ? p.dtype : accumulator_of(p.dtype),
                                 Shape{p.batch, p.heads, longest, query ? p.head_dim : p.head_dim + 1});
  }
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled(problem, tensors, context);
  dispatch(p.dtype, [&]<class T>() {
    Carver carver(context.workspace);
    PassQ<T> pass(p, carver);
    pass.prepared = static_cast<PassQPrepared*>(context.prepared);
    pass.link = context.link;
    pass.run(tensors);
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/pass_q_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "queries go round over a Link, K/V stay, partial results return and are merged",
    .supports = supports_no_mask,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
