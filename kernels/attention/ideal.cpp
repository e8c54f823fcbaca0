// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/ideal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "kernels/attention/head_split.hpp"

namespace bench::attention {
namespace {

/// Positions first, first + stride, ...: a rank's share is one or two of these, so that no share of a long
/// sequence has to be written out.
struct Run {
  std::int64_t first = 0, count = 0, stride = 1;
};

/// Part `part` of `parts` of a sequence, as contiguous_positions has it: the first ones hold one more.
Run part_of(std::int64_t length, std::int64_t parts, std::int64_t part) {
  const std::int64_t each = length / parts, more = length % parts;
  return {part * each + std::min(part, more), each + (part < more ? 1 : 0), 1};
}

std::vector<Run> runs_of(const AttentionProblem& p, std::int64_t rank) {
  if (p.layout == Layout::contiguous) return {part_of(p.seq, p.ranks, rank)};
  if (p.layout == Layout::zigzag)
    return {part_of(p.seq, 2 * p.ranks, rank), part_of(p.seq, 2 * p.ranks, 2 * p.ranks - 1 - rank)};
  return {{rank, p.seq > rank ? (p.seq - rank - 1) / p.ranks + 1 : 0, p.ranks}};
}

double length_of(const std::vector<Run>& runs) {
  std::int64_t sum = 0;
  for (const Run& run : runs) sum += run.count;
  return static_cast<double>(sum);
}

double longest_length(const AttentionProblem& p) {
  double longest = 0.0;
  for (std::int64_t r = 0; r < p.ranks; ++r) longest = std::max(longest, length_of(runs_of(p, r)));
  return longest;
}

/// sum over x in [0, n) of clamp(x + offset, 0, most).
double clamped_sum(double n, double offset, double most) {
  const double rises = std::clamp(1.0 - offset, 0.0, n), full = std::clamp(most - offset, rises, n);
  return (full - rises) * (rises + full - 1.0 + 2.0 * offset) / 2.0 + (n - full) * most;
}

/// Pairs of queries of one run with keys of another that they may see; both runs have the same stride.
double visible_pairs(const Run& queries, const Run& keys) {
  const auto n = static_cast<double>(queries.count), most = static_cast<double>(keys.count);
  if (queries.count == 0 || keys.count == 0) return 0.0;
  const auto ahead = static_cast<double>(queries.first - keys.first);
  return clamped_sum(n, std::floor(ahead / static_cast<double>(queries.stride)) + 1.0, most);
}

double pairs_between(const AttentionProblem& p, std::int64_t rank, std::int64_t source) {
  const std::vector<Run> queries = runs_of(p, rank), keys = runs_of(p, source);
  if (!p.causal) return length_of(queries) * length_of(keys);
  double pairs = 0.0;
  for (const Run& q : queries)
    for (const Run& k : keys) pairs += visible_pairs(q, k);
  return pairs;
}

std::int64_t busiest_rank(const AttentionProblem& p, bool by_keys) {
  std::int64_t busiest = 0;
  double most = -1.0;
  for (std::int64_t r = 0; r < p.ranks; ++r) {
    const double pairs = pairs_of_rank(p, r, by_keys);
    if (pairs > most) most = pairs, busiest = r;
  }
  return busiest;
}

double flops_per_pair(const AttentionProblem& p) {
  return (p.backward() ? 10.0 : 4.0) * static_cast<double>(p.head_dim);
}

double ceil_ratio(std::int64_t a, std::int64_t b) {
  return static_cast<double>((a + b - 1) / b);
}

bool travels(Exchange exchange) {
  return exchange == Exchange::ring || exchange == Exchange::double_ring || exchange == Exchange::pass_q;
}

double element_bytes(const AttentionProblem& p) {
  return static_cast<double>(size_of(p.dtype));
}

/// Of the softmax state and of gradients that are still being summed up.
double sum_bytes(const AttentionProblem& p) {
  return p.dtype == DType::f64 ? 8.0 : 4.0;
}

/// Of all heads of a token, out and back.
double ulysses_token_bytes(const AttentionProblem& p) {
  const auto heads = static_cast<double>(p.heads), width = static_cast<double>(p.head_dim);
  const auto kv_heads = static_cast<double>(std::max(p.kv_heads, p.ranks));
  if (!p.backward()) return (2.0 * heads + 2.0 * kv_heads) * width * element_bytes(p) + heads * sum_bytes(p);
  const double key_gradient = ranks_share_keys(p) ? sum_bytes(p) : element_bytes(p);
  return (3.0 * heads + 2.0 * kv_heads) * width * element_bytes(p) + 2.0 * kv_heads * width * key_gradient +
         2.0 * heads * sum_bytes(p);
}

double pass_q_token_bytes(const AttentionProblem& p) {
  const auto heads = static_cast<double>(p.heads), width = static_cast<double>(p.head_dim);
  if (!p.backward()) return heads * (width * element_bytes(p) + (width + 1.0) * sum_bytes(p));
  return heads * (2.0 * width * element_bytes(p) + (width + 2.0) * sum_bytes(p));
}

}  // namespace

std::optional<Exchange> exchange_of(std::string_view kernel) {
  constexpr std::array<std::pair<std::string_view, Exchange>, 5> kNames{
      {{"attention/ring_", Exchange::ring},
       {"attention/double_ring_", Exchange::double_ring},
       {"attention/allgather_", Exchange::allgather},
       {"attention/ulysses_", Exchange::ulysses},
       {"attention/pass_q_", Exchange::pass_q}}};
  for (const auto& [name, exchange] : kNames)
    if (kernel.starts_with(name)) return exchange;
  return std::nullopt;
}

double pairs_of_rank(const AttentionProblem& p, std::int64_t rank, bool by_keys) {
  const auto length = static_cast<double>(p.seq);
  double pairs = 0.0;
  for (const Run& run : runs_of(p, rank)) {
    const auto n = static_cast<double>(run.count);
    const double positions =
        n * static_cast<double>(run.first) + static_cast<double>(run.stride) * n * (n - 1.0) / 2.0;
    // Query i sees i + 1 keys, key i is seen by L - i queries.
    pairs += !p.causal ? n * length : by_keys ? n * length - positions : n + positions;
  }
  return pairs;
}

double layout_efficiency(const AttentionProblem& p, Exchange exchange) {
  if (exchange == Exchange::ulysses)
    return static_cast<double>(p.heads) / static_cast<double>(p.ranks) / ceil_ratio(p.heads, p.ranks);
  const bool by_keys = exchange == Exchange::pass_q;
  return pair_count(p) / static_cast<double>(p.ranks) / pairs_of_rank(p, busiest_rank(p, by_keys), by_keys);
}

std::vector<double> step_flops(const AttentionProblem& p, Exchange exchange) {
  const auto batch = static_cast<double>(p.batch);
  if (exchange == Exchange::ulysses)
    return {flops_per_pair(p) * batch * ceil_ratio(p.heads, p.ranks) * pair_count(p)};
  const double each = flops_per_pair(p) * batch * static_cast<double>(p.heads);
  const bool by_keys = exchange == Exchange::pass_q;
  const std::int64_t busiest = busiest_rank(p, by_keys);
  if (!travels(exchange)) return {each * pairs_of_rank(p, busiest)};
  std::vector<double> flops;
  for (std::int64_t s = 0; s < p.ranks; ++s) {
    const std::int64_t source = (busiest - s + p.ranks) % p.ranks;
    flops.push_back(each * (by_keys ? pairs_between(p, source, busiest) : pairs_between(p, busiest, source)));
  }
  return flops;
}

double wire_bytes_per_rank(const AttentionProblem& p, Exchange exchange) {
  if (p.ranks == 1) return 0.0;
  const double peers = static_cast<double>(p.ranks - 1);
  const double tokens = static_cast<double>(p.batch) * longest_length(p);
  if (exchange == Exchange::ulysses)
    return peers / static_cast<double>(p.ranks) * tokens * ulysses_token_bytes(p);
  if (exchange == Exchange::pass_q) return peers * tokens * pass_q_token_bytes(p);
  const auto kv_width = static_cast<double>(p.kv_heads * p.head_dim);
  return peers * 2.0 * tokens * kv_width * (element_bytes(p) + (p.backward() ? sum_bytes(p) : 0.0));
}

double overlap_efficiency(const AttentionProblem& p, Exchange exchange, const RankRates& rates) {
  if (p.ranks == 1) return 1.0;
  const std::vector<double> flops = step_flops(p, exchange);
  const double compute_s = std::accumulate(flops.begin(), flops.end(), 0.0) / rates.flops_per_s;
  const double wire_s = wire_bytes_per_rank(p, exchange) / rates.link_bytes_per_s;
  const auto hops = static_cast<double>(p.ranks - 1);
  if (!travels(exchange)) {
    const double phases = exchange == Exchange::ulysses || p.backward() ? 2.0 : 1.0;
    return compute_s / (compute_s + phases * hops * rates.link_latency_s + wire_s);
  }
  const double hop_s = rates.link_latency_s + wire_s / hops;
  double modelled_s = flops.back() / rates.flops_per_s;  // nothing travels behind the last step
  for (std::size_t s = 0; s + 1 < flops.size(); ++s)
    modelled_s += std::max(flops[s] / rates.flops_per_s, hop_s);
  return compute_s / modelled_s;
}

double knee_ranks(const AttentionProblem& p, const RankRates& rates) {
  const double share = p.causal ? 0.5 : 1.0;
  const double bytes =
      2.0 * (element_bytes(p) + (p.backward() ? sum_bytes(p) : 0.0)) * static_cast<double>(p.kv_heads);
  const double flops = (p.backward() ? 10.0 : 4.0) * share * static_cast<double>(p.heads);
  return static_cast<double>(p.seq) / (bytes / flops * rates.flops_per_s / rates.link_bytes_per_s);
}

}  // namespace bench::attention
