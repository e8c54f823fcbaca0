// SPDX-License-Identifier: Apache-2.0
#include "analysis/ideal.hpp"

#include <array>
#include <bit>
#include <string_view>

#include "analysis/case_parameters.hpp"

namespace bench::analysis {
namespace {

constexpr std::int64_t kMostRanks = std::int64_t{1}
                                    << 20;  // a file may claim any number; the forms walk over the ranks

std::optional<DType> dtype_of(const Params& params) {
  const std::string name = text_of(params, "dtype", "");
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16})
    if (name == bench::to_text(dtype)) return dtype;
  return std::nullopt;
}

/// Nothing when a parameter is missing or senseless: the file may come from anywhere.
std::optional<attention::AttentionProblem> attention_problem(const scaling::Case& c) {
  attention::AttentionProblem p;
  const auto dtype = dtype_of(c.params);
  const auto causal = c.params.find("causal");
  if (!dtype || causal == c.params.end() || !std::holds_alternative<bool>(causal->second))
    return std::nullopt;
  p.dtype = *dtype;
  p.causal = std::get<bool>(causal->second);
  p.pass = text_of(c.params, "pass", "fwd");
  p.ranks = c.ranks;
  p.batch = int_of(c.params, "batch", 0);
  p.heads = int_of(c.params, "heads", 0);
  p.kv_heads = int_of(c.params, "kv_heads", 0);
  if (p.kv_heads == 0) p.kv_heads = p.heads;
  p.seq = int_of(c.params, "seq", 0);
  p.head_dim = int_of(c.params, "head_dim", 0);
  for (const std::int64_t extent : {p.batch, p.heads, p.kv_heads, p.seq, p.head_dim})
    if (extent < 1 || extent > std::int64_t{1} << 40) return std::nullopt;
  for (const auto layout :
       {attention::Layout::contiguous, attention::Layout::zigzag, attention::Layout::striped})
    if (text_of(c.params, "layout", "") == attention::to_text(layout)) {
      p.layout = layout;
      return p;
    }
  return std::nullopt;
}

Ideal attention_ideal(const scaling::Case& c, attention::Exchange exchange,
                      const attention::RankRates& rates) {
  Ideal ideal;
  const auto problem = attention_problem(c);
  if (!problem) return ideal;
  ideal.layout = attention::layout_efficiency(*problem, exchange);
  ideal.extra_work = 1.0;  // every pair of a query and a key is worked once, wherever
  ideal.wire_bytes = attention::wire_bytes_per_rank(*problem, exchange);
  if (rates.flops_per_s <= 0.0 || rates.link_bytes_per_s <= 0.0) return ideal;
  ideal.overlap = attention::overlap_efficiency(*problem, exchange, rates);
  if (exchange == attention::Exchange::ring) ideal.knee_ranks = attention::knee_ranks(*problem, rates);
  return ideal;
}

/// How the carries of a scan get from rank to rank: one after the other, or in log2 P rounds.
enum class Carry { exscan, chain, allgather };

std::optional<Carry> carry_of(std::string_view kernel) {
  constexpr std::array<std::pair<std::string_view, Carry>, 3> kNames{
      {{"_ranks_", Carry::exscan}, {"_chain_", Carry::chain}, {"_allgather_", Carry::allgather}}};
  if (!kernel.starts_with("scan/")) return std::nullopt;
  for (const auto& [name, carry] : kNames)
    if (kernel.find(name) != std::string_view::npos) return carry;
  return std::nullopt;
}

bool is_forward(const scaling::Case& c) {
  return text_of(c.params, "pass", "fwd") == "fwd";
}

/// All three carry their share from zero first and scan it from the right state then ("state first"). A
/// recurrence reads two streams for that besides the three of the scan itself (backward: two besides five); a
/// selective scan takes its exponentials twice. Its backward pass does so on one rank, too, because nothing
/// was saved: the first of its two passes finds the states that the second starts its blocks from, and the
/// carries on the way, so more ranks add nothing.
/// Not known where sequences are packed: a share is carried from the start of its last one only.
std::optional<double> extra_work_of(const scaling::Case& c) {
  if (int_of(c.params, "segments", 1) > 1) return std::nullopt;
  if (c.op == "recurrence") return is_forward(c) ? 5.0 / 3.0 : 7.0 / 5.0;
  if (c.op == "selective") return is_forward(c) ? 2.0 : 1.0;
  return std::nullopt;
}

/// The messages that the slowest rank waits for one after the other, and the bytes of all of them.
struct Waits {
  double messages = 0.0, bytes = 0.0;
};

/// `wire_bytes` of the case's cost. A scan: one carry a message, then the last state goes to all. The
/// selective scan's backward pass: carries both ways, then the sums dA, dD and ddelta_bias of all ranks come
/// together on the first one and go to all with dh0. nullopt when its parameters do not say how the bytes are
/// split.
std::optional<Waits> waits_of(const scaling::Case& c, Carry carry, double wire_bytes) {
  const auto rounds =
      static_cast<double>(std::bit_width(static_cast<std::uint64_t>(c.ranks - 1)));  // ceil(log2 P)
  const double carries = carry == Carry::exscan ? rounds + 1.0 : static_cast<double>(c.ranks - 1);
  if (c.op != "selective" || is_forward(c)) return Waits{carries + rounds, (carries + rounds) * wire_bytes};
  const auto batch = static_cast<double>(int_of(c.params, "batch", 0));
  const auto states = static_cast<double>(int_of(c.params, "state", 0));
  if (batch < 1.0 || states < 1.0) return std::nullopt;
  // Of each channel: two carries of B N states, and N + 2 sums.
  const double carry_bytes = wire_bytes * batch * states / (2.0 * batch * states + states + 2.0);
  const double sums_bytes = wire_bytes - 2.0 * carry_bytes;
  return Waits{2.0 * (carries + rounds),
               2.0 * carries * carry_bytes + rounds * (2.0 * sums_bytes + carry_bytes)};
}

Ideal scan_ideal(const scaling::Case& c, Carry carry, const attention::RankRates& rates) {
  Ideal ideal;
  const std::int64_t seq = int_of(c.params, "seq", 0);
  if (seq < 1) return ideal;
  const auto ranks = static_cast<double>(c.ranks);
  const auto longest = static_cast<double>((seq - 1) / c.ranks + 1);
  ideal.layout = static_cast<double>(seq) / ranks / longest;
  ideal.extra_work = extra_work_of(c);
  if (c.cost.wire_bytes > 0.0) ideal.wire_bytes = c.cost.wire_bytes;
  const auto waits = waits_of(c, carry, c.cost.wire_bytes);
  const bool known = ideal.extra_work && ideal.wire_bytes && waits && c.cost.flops > 0.0;
  if (!known || rates.flops_per_s <= 0.0 || rates.link_bytes_per_s <= 0.0) return ideal;
  const double compute_s = *ideal.extra_work * c.cost.flops / ranks / *ideal.layout / rates.flops_per_s;
  const double wire_s = waits->messages * rates.link_latency_s + waits->bytes / rates.link_bytes_per_s;
  ideal.overlap = compute_s / (compute_s + wire_s);
  return ideal;
}

bool is_replicated(const scaling::Case& c) {
  return int_of(c.params, "replicas", 1) > 1;
}

/// Divides the parameter by the ranks where that comes out even.
bool divide(Params& params, const char* name, std::int64_t ranks) {
  const std::int64_t value = int_of(params, name, 0);
  if (value < 1 || value % ranks != 0) return false;
  params[name] = value / ranks;
  return true;
}

}  // namespace

Ideal ideal_of(const scaling::Case& c, const attention::RankRates& rates) {
  if (c.ranks == 1 || is_replicated(c))
    return {.layout = 1.0, .extra_work = 1.0, .overlap = 1.0, .wire_bytes = 0.0, .knee_ranks = {}};
  if (c.ranks < 1 || c.ranks > kMostRanks) return {};
  if (const auto exchange = attention::exchange_of(c.kernel); exchange && c.op == "attention")
    return attention_ideal(c, *exchange, rates);
  if (const auto carry = carry_of(c.kernel)) return scan_ideal(c, *carry, rates);
  return {};
}

std::optional<Params> one_share(const scaling::Case& c) {
  Params params = c.params;
  params.erase("replicas");
  params.erase("link");
  params["ranks"] = std::int64_t{1};
  if (c.ranks == 1 || is_replicated(c)) return params;
  const auto exchange = attention::exchange_of(c.kernel);
  if (!exchange && !carry_of(c.kernel)) return std::nullopt;
  if (exchange != attention::Exchange::ulysses)
    return divide(params, "seq", c.ranks) ? std::optional(params) : std::nullopt;
  const bool even = divide(params, "heads", c.ranks) &&
                    (int_of(params, "kv_heads", 0) == 0 || divide(params, "kv_heads", c.ranks));
  return even ? std::optional(params) : std::nullopt;
}

}  // namespace bench::analysis
