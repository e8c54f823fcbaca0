// SPDX-License-Identifier: Apache-2.0
// Backward Ulysses attention, head parallel: an all-to-all turns shares of the sequence into shares of the
// heads, each rank runs flash_tiled_bwd_cpu's code on whole sequences of its heads (dV_j = sum_i P_ij dout_i,
// dK_j = sum_i dS_ij q_i / sqrt(D), dQ_i = sum_j dS_ij k_j / sqrt(D)), and a second all-to-all brings the
// gradients home.
//
// Shares, per rank with n rows: q dout (B, H, n, D), k v (B, Hkv, n, D) -> dq (B, H, n, D), dk dv (B, Hkv, n,
// D) in the tensors' dtype; out (B, H, n, D) and lse (B, H, n) come from a forward ring in prepare, and delta
// = rowsum(dout out), n numbers a head, is computed before anything is sent, so that out stays at home.
// Algorithm: Jacobs et al. 2023 (arXiv 2309.14509); the op list and the cut of the heads are ulysses_cpu's.
// Where a key/value head is replicated, its ranks' dK and dV are added up at home in fp32 (fp64), in the
// fixed order in which the list unpacks them, and rounded once; where none is, they come home as the tiled
// kernel wrote them. Bytes on the wire per rank, P dividing H and Hkv: (P-1)/P (3H + 4Hkv) B n D in the
// tensors' dtype and (P-1)/P 2H B n numbers of 4 (8) bytes; with replicated heads P stands for Hkv and dK and
// dV travel in fp32. Balanced in every layout; nothing is hidden behind compute. Right for many heads and
// fast all-to-alls: the ring sends dK and dV of P-1 shares in fp32, this, where no head is replicated, less
// than one share of each.
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/attention/flash_tiled_bwd_cpu.hpp"
#include "kernels/attention/reshard_bwd.hpp"
#include "kernels/attention/saved_forward.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/attention/ulysses_play.hpp"

namespace bench::attention {
namespace {

struct UlyssesBwdPrepared : Prepared {
  std::vector<UlyssesOp> schedule;
  Shares shares;
  HeadPieces pieces;          // of the rank's own heads
  std::vector<Tensor> slots;  // bytes
  Tensor delta;               // (B, H, n)
  Tensor sums;                // dk and dv (2, B, Hkv, n, D) where ranks share heads
};

/// The messages, as play_ulysses wants them.
template <class T>
struct UlyssesBwd {
  using Real = RealOf<T>;
  const AttentionProblem& p;
  UlyssesBwdPrepared& prepared;
  Tensors& tensors;
  Context& context;

  KeySums<Real> sums() const {
    Real* dk = prepared.sums.as<Real>();
    return {dk, dk + prepared.sums.count() / 2};
  }
  std::int64_t bytes(bool inputs, int from, int to) const {
    if (inputs) return grad_input_bytes<T>(p, rank_heads(p, to), prepared.shares.length(from));
    return gradient_bytes<T>(p, rank_heads(p, from), prepared.shares.length(to));
  }
  void pack(bool inputs, int to, std::byte* message) const {
    if (inputs) pack_grad_inputs<T>(p, tensors, prepared.delta.as<Real>(), rank_heads(p, to), message);
    if (!inputs) pack_gradients<T>(p, prepared.pieces, prepared.shares.of(to), message);
  }
  void unpack(bool inputs, int from, const std::byte* message) const {
    if (inputs) unpack_grad_inputs<T>(p, message, prepared.shares.of(from), prepared.pieces);
    if (!inputs) unpack_gradients<T>(p, message, rank_heads(p, from), tensors, sums());
  }
  void attend() const {
    for (HeadPiece& piece : prepared.pieces) {
      if (ranks_share_keys(p)) backward<Real>(piece);
      if (!ranks_share_keys(p)) backward<T>(piece);
    }
  }
  template <class Out>
  void backward(HeadPiece& piece) const {
    Tensors& t = piece.tensors;
    const GradRows<T> rows{t["q"].as<T>(), t["dout"].as<T>(), nullptr, t["lse"].as<Real>(),
                           t["delta"].as<Real>()};
    const Gradients<T, Out> gradients{t["dq"].as<T>(), t["dk"].as<Out>(), t["dv"].as<Out>()};
    whole_backward(piece.problem, rows, t["k"].as<T>(), t["v"].as<T>(), gradients, context.workspace);
  }

  void begin() const {
    const GradShape shape = grad_shape(p, prepared.shares.length(context.link->rank()));
    row_deltas(shape, tensors["dout"].as<T>(), tensors["out"].as<T>(), prepared.delta.as<Real>());
    std::fill_n(prepared.sums.as<Real>(), prepared.sums.count(), Real{0});
  }
  /// Rounds what ranks added up.
  void finish() const {
    const std::int64_t count = prepared.sums.count() / 2;
    const KeySums<Real> from = sums();
    T *dk = tensors["dk"].as<T>(), *dv = tensors["dv"].as<T>();
    for (std::int64_t i = 0; i < count; ++i) {
      dk[i] = store<T>(from.dk[i]);
      dv[i] = store<T>(from.dv[i]);
    }
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return std::max(save_forward_workspace_bytes(p), neediest_piece(p, flash_tiled_bwd_workspace_bytes));
}

/// Longest message that any rank sends.
std::int64_t longest_message(const AttentionProblem& p) {
  const std::int64_t rows = longest_share(p);
  return dispatch(p.dtype, [&]<class T>() {
    std::int64_t most = 0;
    for (std::int64_t rank = 0; rank < p.ranks; ++rank) {
      const HeadRun heads = rank_heads(p, rank);
      most = std::max({most, grad_input_bytes<T>(p, heads, rows), gradient_bytes<T>(p, heads, rows)});
    }
    return most;
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  save_forward(p, tensors, context);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<UlyssesBwdPrepared>();
  prepared->schedule = ulysses_schedule(context.link->size(), context.link->rank());
  prepared->shares = Shares(p);
  for (const HeadRun& run : uniform_pieces(p, rank_heads(p, context.link->rank())))
    prepared->pieces.push_back(make_grad_piece(p, run));
  prepared->slots = ulysses_slots(longest_message(p));
  const std::int64_t rows = prepared->shares.length(context.link->rank());
  prepared->delta = Tensor(accumulator_of(p.dtype), {p.batch, p.heads, rows});
  const std::int64_t summed = ranks_share_keys(p) ? rows : 0;
  prepared->sums = Tensor(accumulator_of(p.dtype), {2, p.batch, p.kv_heads, summed, p.head_dim});
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled_bwd(problem, tensors, context);
  auto& prepared = *static_cast<UlyssesBwdPrepared*>(context.prepared);
  dispatch(p.dtype, [&]<class T>() {
    const UlyssesBwd<T> ulysses{p, prepared, tensors, context};
    ulysses.begin();
    play_ulysses(prepared.schedule, places_in(prepared.slots), *context.link, ulysses);
    ulysses.finish();
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ulysses_bwd_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .collective = true,
    .about = "head parallel backward over a Link: all-to-all to heads, flash_tiled_bwd_cpu, all-to-all back",
    .supports = supports_head_cut,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
