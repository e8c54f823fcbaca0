// SPDX-License-Identifier: Apache-2.0
// Parameters, cost model, rank layouts and tolerance of the attention op, and its registration.
#include "kernels/attention/attention.hpp"

#include <algorithm>

#include "kernels/attention/reference.hpp"
#include "kernels/tolerance.hpp"

namespace bench::attention {

std::string_view to_text(Layout layout) {
  switch (layout) {
    case Layout::contiguous:
      return "contiguous";
    case Layout::zigzag:
      return "zigzag";
    case Layout::striped:
      return "striped";
  }
  return "?";
}

Layout parse_layout(std::string_view text) {
  for (const Layout layout : {Layout::contiguous, Layout::zigzag, Layout::striped})
    if (text == to_text(layout)) return layout;
  usage_error(concat("layout '", text, "' is not known; allowed: contiguous, zigzag, striped"));
}

double pair_count(const AttentionProblem& problem) {
  const double l = static_cast<double>(problem.seq);
  return problem.causal ? l * (l + 1.0) / 2.0 : l * l;
}

std::vector<std::int64_t> rank_positions(const AttentionProblem& problem, std::int64_t rank) {
  const std::int64_t length = problem.seq, ranks = problem.ranks;
  if (problem.layout == Layout::contiguous) return contiguous_positions(length, ranks, rank);
  std::vector<std::int64_t> positions;
  if (problem.layout == Layout::striped) {
    for (std::int64_t i = rank; i < length; i += ranks) positions.push_back(i);
    return positions;
  }
  positions = contiguous_positions(length, 2 * ranks, rank);
  const auto late = contiguous_positions(length, 2 * ranks, 2 * ranks - 1 - rank);
  positions.insert(positions.end(), late.begin(), late.end());
  return positions;
}

std::int64_t longest_share(const AttentionProblem& problem) {
  std::int64_t longest = 0;
  for (std::int64_t r = 0; r < problem.ranks; ++r)
    longest = std::max(longest, static_cast<std::int64_t>(rank_positions(problem, r).size()));
  return longest;
}

namespace {

std::int64_t positive(const Params& params, const std::string& name) {
  const std::int64_t value = get_int(params, name);
  if (value < 1) usage_error(concat(name, " = ", value, "; allowed: 1 or more"));
  return value;
}

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<AttentionProblem>();
  parse_common(params, *problem);
  problem->batch = positive(params, "batch");
  problem->heads = positive(params, "heads");
  problem->seq = positive(params, "seq");
  problem->head_dim = positive(params, "head_dim");
  const std::int64_t kv_heads = get_int(params, "kv_heads");
  problem->kv_heads = kv_heads == 0 ? problem->heads : kv_heads;
  if (problem->kv_heads < 1 || problem->heads % problem->kv_heads != 0)
    usage_error(concat("kv_heads = ", kv_heads,
                       "; allowed: 0 (as many as heads) or a divisor of heads = ", problem->heads));
  problem->causal = get_bool(params, "causal");
  problem->layout = parse_layout(get_string(params, "layout"));
  return problem;
}

std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const auto spec = [&](std::string name, std::int64_t heads) {
    TensorSpec s;
    s.name = std::move(name);
    s.dtype = p.dtype;
    s.shape = {p.batch, heads, p.seq, p.head_dim};
    s.sequence_axis = 2;
    return s;
  };
  return {spec("q", p.heads), spec("k", p.kv_heads), spec("v", p.kv_heads)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  TensorSpec out, lse;
  out.name = "out";
  out.dtype = p.dtype;
  out.shape = {p.batch, p.heads, p.seq, p.head_dim};
  out.sequence_axis = 2;
  lse.name = "lse";
  lse.dtype = p.dtype == DType::f64 ? DType::f64 : DType::f32;
  lse.shape = {p.batch, p.heads, p.seq};
  lse.sequence_axis = 2;
  return {out, lse};
}

std::int64_t io_bytes(const Problem& problem) {
  std::int64_t sum = 0;
  for (const auto& list : {inputs(problem), outputs(problem)})
    for (const TensorSpec& spec : list) sum += element_count(spec.shape) * size_of(spec.dtype);
  return sum;
}

/// Two products of 2 D flops a pair; softmax is counted as exponentials, not flops. On the wire every rank
/// hands the K and V shares of P-1 ranks on, Hkv heads wide.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const double head_pairs = static_cast<double>(p.batch * p.heads) * pair_count(p);
  const std::int64_t share = (p.seq + p.ranks - 1) / p.ranks;
  Cost cost;
  cost.flops = 4.0 * head_pairs * static_cast<double>(p.head_dim);
  cost.bytes = static_cast<double>(io_bytes(p));
  cost.exps = head_pairs;
  cost.wire_bytes =
      static_cast<double>((p.ranks - 1) * 2 * p.batch * share * p.kv_heads * p.head_dim * size_of(p.dtype));
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return rank_positions(problem_as<AttentionProblem>(problem), rank);
}

double reference_ops_per_row(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return cost(p).flops / static_cast<double>(p.seq);
}

/// accumulation: a score is a sum of D products and an output a sum of up to L weighted values; with N(0,1)
/// inputs the errors are independent and grow as sqrt, so 64 eps (7.6e-6 in fp32) is ten times what good
/// kernels show and far below any indexing mistake. storage: half an eps for rounding the output, half for
/// weights that a 16-bit matrix unit reads. lse never passes through 16 bits, but the weights behind it may
/// come from an exponential that is only as good as 16-bit weights need (LibTorch's is 5e-5 off): a 64th.
double tolerance(const Problem& problem, std::string_view output) {
  const double storage = output == "lse" ? 1.0 / 64.0 : 1.0;
  return rounding_tolerance(problem.dtype, {.accumulation = 64.0, .storage = storage});
}

const Registrar<Op> registrar{{
    .name = "attention",
    .help = "softmax(Q K^T / sqrt(D)) V per head, with the row's log-sum-exp",
    .params = {{"batch", std::int64_t{1}, "sequences (B)"},
               {"heads", std::int64_t{8}, "query heads (H)"},
               {"kv_heads", std::int64_t{0},
                "key/value heads (Hkv), a divisor of heads; 0: as many as heads"},
               {"seq", std::int64_t{1024}, "sequence length (L), tokens"},
               {"head_dim", std::int64_t{64}, "width of a head (D), elements"},
               {"causal", true, "position i sees keys 0..i only"},
               {"layout", std::string("contiguous"),
                "how ranks cut the sequence: contiguous zigzag striped"}},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
}};

}  // namespace
}  // namespace bench::attention
