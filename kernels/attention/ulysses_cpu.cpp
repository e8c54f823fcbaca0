// SPDX-License-Identifier: Apache-2.0
// Ulysses attention, head parallel: an all-to-all turns shares of the sequence into shares of the heads, each
// rank runs flash_tiled_cpu on whole sequences of its heads, and a second all-to-all brings the results back:
// out_i = sum_j 2^(s_ij - m_i) v_j / sum_j 2^(s_ij - m_i), s = log2(e) / sqrt(D) q_i . k_j.
//
// Shares, per rank with n rows: q (B, H, n, D), k v (B, Hkv, n, D) -> out (B, H, n, D), lse (B, H, n) in fp32
// (fp64 for fp64 tensors). Algorithm: Jacobs et al. 2023 (arXiv 2309.14509); the op list is
// ulysses_schedule's. Each rank takes a run of ceil or floor(H / P) heads and the key/value heads they read;
// a key/value head is sent to every rank that needs it, so Hkv < P works, by replication. P > H does not.
// Rows go to their global positions, so layout and raggedness cost nothing but the copy, causal work is
// balanced in every layout, and the bits are flash_tiled_cpu's for any P. Bytes on the wire per rank, P
// dividing H and Hkv: (P-1)/P (2H + 2Hkv) B n D in the tensors' dtype, and (P-1)/P H B n log-sum-exps of 4
// (8) bytes. A rank holds H/P heads of the whole sequence: as much memory as its shares. Nothing is hidden
// behind compute. Right for many heads and fast all-to-alls: it moves less than the ring from P = 1 + H / Hkv
// on.
#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/attention/flash_tiled_cpu.hpp"
#include "kernels/attention/reshard.hpp"
#include "kernels/attention/shares.hpp"
#include "kernels/attention/ulysses_play.hpp"
#include "kernels/kernel.hpp"

namespace bench::attention {
namespace {

struct UlyssesPrepared : Prepared {
  std::vector<UlyssesOp> schedule;
  Shares shares;
  HeadPieces pieces;          // of the rank's own heads
  std::vector<Tensor> slots;  // bytes
};

/// The messages, as play_ulysses wants them.
template <class T>
struct Ulysses {
  const AttentionProblem& p;
  UlyssesPrepared& prepared;
  Tensors& tensors;
  Context& context;

  std::int64_t bytes(bool inputs, int from, int to) const {
    if (inputs) return input_bytes<T>(p, rank_heads(p, to), prepared.shares.length(from));
    return result_bytes<T>(p, rank_heads(p, from), prepared.shares.length(to));
  }
  void pack(bool inputs, int to, std::byte* message) const {
    if (inputs) pack_inputs<T>(p, tensors, rank_heads(p, to), message);
    if (!inputs) pack_results<T>(p, prepared.pieces, prepared.shares.of(to), message);
  }
  void unpack(bool inputs, int from, const std::byte* message) const {
    if (inputs) unpack_inputs<T>(p, message, prepared.shares.of(from), prepared.pieces);
    if (!inputs) unpack_results<T>(p, message, rank_heads(p, from), tensors);
  }
  void attend() const {
    for (HeadPiece& piece : prepared.pieces) run_flash_tiled(piece.problem, piece.tensors, context);
  }
};

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return neediest_piece(p, flash_tiled_workspace_bytes);
}

/// Longest message that any rank sends.
std::int64_t longest_message(const AttentionProblem& p) {
  const std::int64_t rows = longest_share(p);
  return dispatch(p.dtype, [&]<class T>() {
    std::int64_t most = 0;
    for (std::int64_t rank = 0; rank < p.ranks; ++rank) {
      const HeadRun heads = rank_heads(p, rank);
      most = std::max({most, input_bytes<T>(p, heads, rows), result_bytes<T>(p, heads, rows)});
    }
    return most;
  });
}

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return nullptr;
  auto prepared = std::make_unique<UlyssesPrepared>();
  prepared->schedule = ulysses_schedule(context.link->size(), context.link->rank());
  prepared->shares = Shares(p);
  for (const HeadRun& run : uniform_pieces(p, rank_heads(p, context.link->rank())))
    prepared->pieces.push_back(make_piece(p, run));
  prepared->slots = ulysses_slots(longest_message(p));
  return prepared;
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.ranks == 1) return run_flash_tiled(problem, tensors, context);
  auto& prepared = *static_cast<UlyssesPrepared*>(context.prepared);
  dispatch(p.dtype, [&]<class T>() {
    play_ulysses(prepared.schedule, places_in(prepared.slots), *context.link, Ulysses<T>{p, prepared, tensors, context});
  });
}

const Registrar<Kernel> registrar{{
    .name = "attention/ulysses_cpu",
    .op = "attention",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "head parallel over a Link: all-to-all to heads, flash_tiled_cpu, all-to-all back",
    .supports = supports_head_cut,
    .workspace_bytes = workspace_bytes,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::attention
