// SPDX-License-Identifier: Apache-2.0
// What attention across ranks could reach at best: closed forms, exact to the token, for any layout and any
// length. Nothing here is measured and nothing runs.
//
// Symbols as in attention.hpp, P ranks, e bytes of an element and e_acc of a sum in fp32 (fp64), S bytes of a
// message, F FLOP/s of one rank, BW bytes/s that a rank sends while it receives as many, a seconds of an
// empty exchange. Derivations: docs/metrics.md, "What scaling loses".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "kernels/attention/attention.hpp"

namespace bench::attention {

/// How ranks get at what they do not hold.
enum class Exchange : std::uint8_t {
  ring,         // K and V go round, one hop a step, behind the step's compute
  double_ring,  // the same blocks over an inner and an outer ring
  allgather,    // all of K and V first, then all of the compute
  ulysses,      // all-to-all from a cut of the sequence to a cut of the heads, and back
  pass_q,       // the queries go round, partial results come home
};

/// The exchange that a kernel's name tells ("attention/ring_cpu", "attention/pass_q_bwd_cpu", ...); nullopt
/// for a kernel on one rank.
std::optional<Exchange> exchange_of(std::string_view kernel);

/// (query, key) pairs of one head that a rank computes: those of its queries; of its keys when the queries
/// travel.
double pairs_of_rank(const AttentionProblem& problem, std::int64_t rank, bool by_keys = false);

/// Mean over ranks / busiest rank of the work: what the cut alone allows. Even shares, by name:
///   not causal 1; contiguous (P L + 1) / ((2P - 1) L + 1); zigzag 1 (even L); striped (P L + 1) / (P (L +
///   1))
/// with L tokens a rank. Ulysses cuts heads: (H / P) / ceil(H / P).
double layout_efficiency(const AttentionProblem& problem, Exchange exchange);

/// FLOPs of the busiest rank, step by step: P steps where blocks travel, else one.
std::vector<double> step_flops(const AttentionProblem& problem, Exchange exchange);

/// Bytes that the busiest rank sends in one call, L the longest share:
///   ring, double ring, all-gather (P - 1) 2 B L Hkv D e (backward: e + the sums' bytes);
///   Ulysses (P - 1) / P B L ((2 H + 2 Hkv) D e + H e_acc), at least one key/value head a rank; the last term
///   is lse (backward: (3 H + 2 Hkv) D e for q, dout, dq, k, v, 2 H e_acc for lse and delta, 2 Hkv D for dk
///   and dv, times e, or e_acc where ranks share a head and have parts of its sums); pass-Q (P - 1) B L H D e
///   for the queries and (P - 1) B L H (D + 1) e_acc for partial results and their lse (backward: 2 D e for q
///   and dout, 2 e_acc for lse and delta, D e_acc for parts of dq).
double wire_bytes_per_rank(const AttentionProblem& problem, Exchange exchange);

/// What one rank and its link were measured to do.
struct RankRates {
  double flops_per_s = 0.0;       // F, of the kernel on one rank
  double link_latency_s = 0.0;    // a
  double link_bytes_per_s = 0.0;  // BW
};

/// sum_s C_s / F over the modelled time. Where blocks travel that is sum_s max(C_s / F, [s < P-1] (a + S /
/// BW)); all-gather and Ulysses put their P-1 (Ulysses and all backward passes: 2 (P-1)) messages before and
/// after the compute. 1 on one rank.
double overlap_efficiency(const AttentionProblem& problem, Exchange exchange, const RankRates& rates);

/// Ranks beyond which a hop of the ring takes longer than a step: P = seq / L with 2 f x H L = m Hkv F / BW
/// per byte and pass (forward 4 f H L^2 D / F = 2 L Hkv D e / BW; backward 10 and e + e_acc), f = 1/2 causal.
double knee_ranks(const AttentionProblem& problem, const RankRates& rates);

}  // namespace bench::attention
