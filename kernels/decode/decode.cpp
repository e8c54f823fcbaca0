// SPDX-License-Identifier: Apache-2.0
// Parameters, block table, cost model and tolerance of the decode op, and its registration.
#include "kernels/decode/decode.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "kernels/decode/reference.hpp"
#include "kernels/ragged.hpp"
#include "kernels/tolerance.hpp"
#include "src/core/rng.hpp"

namespace bench::decode {
std::string_view to_text(Lengths lengths) {
  return lengths == Lengths::equal ? "equal" : "ragged";
}

std::vector<std::int64_t> sequence_lengths(const DecodeProblem& p) {
  if (p.lengths == Lengths::ragged) return ragged_lengths(p.batch, p.seq);
  return std::vector<std::int64_t>(static_cast<std::size_t>(p.batch), p.seq);
}

std::vector<std::int32_t> block_table(const DecodeProblem& p) {
  return random_order<std::int32_t>(CounterRng(p.table_seed, "block_table"), p.pages());
}

namespace {

constexpr std::array<std::int64_t, 4> kPageSizes{16, 32, 64, 256};

Lengths parse_lengths(const std::string& text) {
  for (const Lengths lengths : {Lengths::equal, Lengths::ragged})
    if (text == to_text(lengths)) return lengths;
  usage_error(concat("lengths '", text, "' is not known; allowed: equal, ragged"));
}

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<DecodeProblem>();
  parse_common(params, *problem);
  problem->batch = positive(params, "batch");
  problem->heads = positive(params, "heads");
  problem->seq = positive(params, "seq");
  problem->head_dim = positive(params, "head_dim");
  problem->kv_heads = parse_kv_heads(params, problem->heads);
  problem->page = get_int(params, "page");
  if (std::ranges::find(kPageSizes, problem->page) == kPageSizes.end())
    usage_error(concat("page = ", problem->page, "; allowed: 16, 32, 64, 256"));
  problem->lengths = parse_lengths(get_string(params, "lengths"));
  return problem;
}

/// The batch is the axis along which a check may leave rows out; the pool has no such axis.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const Shape pool{p.pages(), p.page, p.kv_heads, p.head_dim};
  return {make_spec("q", p.dtype, {p.batch, p.heads, p.head_dim}, 0), make_spec("k_cache", p.dtype, pool, -1),
          make_spec("v_cache", p.dtype, pool, -1)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  return {make_spec("out", p.dtype, {p.batch, p.heads, p.head_dim}, 0),
          make_spec("lse", accumulator_of(p.dtype), {p.batch, p.heads}, 0)};
}

/// Two products of 2 D flops a query head and cached token. Bytes: the keys and values that sequences have
/// (not the pool), q, out and lse; the table is not counted, as nobody counts it.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const auto lengths = sequence_lengths(p);
  const std::int64_t tokens = std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
  const std::int64_t rows = p.batch * p.heads;
  Cost cost;
  cost.exps = static_cast<double>(p.heads) * static_cast<double>(tokens);
  cost.flops = 4.0 * cost.exps * static_cast<double>(p.head_dim);
  cost.bytes =
      2.0 * static_cast<double>(tokens) * static_cast<double>(p.row() * size_of(p.dtype)) +
      static_cast<double>(rows * (2 * p.head_dim * size_of(p.dtype) + size_of(accumulator_of(p.dtype))));
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<DecodeProblem>(problem).batch, problem.ranks, rank);
}

/// The mean over all sequences.
double reference_ops_per_row(const Problem& problem) {
  return cost(problem).flops / static_cast<double>(problem_as<DecodeProblem>(problem).batch);
}

/// A score is a sum of D products and an output one of up to L weighted values, as in the attention op, and
/// so are the factors: 64 eps of the accumulator; half a 16-bit eps for the output and half for weights that
/// a kernel rounds to 16 bits; for lse a 64th of that, for exponentials that are as good as such weights
/// need.
double tolerance(const Problem& problem, std::string_view output) {
  return rounding_tolerance(problem.dtype,
                            {.accumulation = 64.0, .storage = output == "lse" ? 1.0 / 64.0 : 1.0});
}

std::vector<IndexTable> tables(const Problem& problem) {
  const auto& p = problem_as<DecodeProblem>(problem);
  const auto pages = block_table(p);
  return {{"cache_seqlens", {p.batch}, sequence_lengths(p)}, {"block_table", {p.batch, p.pages_each()}, {pages.begin(), pages.end()}}};
}

const Registrar<Op> registrar{{
    .name = "decode",
    .help = "attention of one new token per sequence over a paged key/value cache",
    .params = {{"batch", std::int64_t{1}, "sequences (B)"},
               {"heads", std::int64_t{8}, "query heads (H)"},
               {"kv_heads", std::int64_t{0},
                "key/value heads (Hkv), a divisor of heads; 0: as many as heads"},
               {"seq", std::int64_t{1024}, "tokens of the longest sequence in the cache (L)"},
               {"head_dim", std::int64_t{64}, "width of a head (D), elements"},
               {"page", std::int64_t{16}, "tokens a page of the cache: 16 32 64 256"},
               {"lengths", std::string("equal"),
                "tokens of the sequences: equal (all seq) or ragged (the first seq, the others 1..seq)"}},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .tables = tables,
}};

}  // namespace
}  // namespace bench::decode
