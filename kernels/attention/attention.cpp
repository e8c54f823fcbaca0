// SPDX-License-Identifier: Apache-2.0
// Parameters, cost model, rank layouts and tolerance of the attention op, and its registration.
#include "kernels/attention/attention.hpp"

#include <algorithm>
#include <limits>

#include "kernels/attention/reference.hpp"
#include "kernels/ragged.hpp"
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

namespace {

/// sum of min(x, most) over x = 0 .. n-1.
double capped_sum(double n, double most) {
  return n <= most + 1.0 ? n * (n - 1.0) / 2.0 : most * (most + 1.0) / 2.0 + (n - 1.0 - most) * most;
}

/// Pairs of one head of a sequence with so many keys: a key is seen from its own position, from up to w-1
/// behind it, and without causality from up to w-1 before it.
double pairs_of(const AttentionProblem& p, std::int64_t key_count) {
  const double l = static_cast<double>(p.seq), keys = static_cast<double>(key_count);
  const double side = p.window > 0 ? static_cast<double>(p.window - 1) : l;
  const double behind = capped_sum(l, side) - capped_sum(l - keys, side);
  return keys + behind + (p.causal ? 0.0 : capped_sum(keys, side));
}

}  // namespace

double pair_count(const AttentionProblem& problem) {
  if (problem.key_lengths.empty()) return pairs_of(problem, problem.seq);
  double sum = 0.0;
  for (const std::int64_t keys : problem.key_lengths) sum += pairs_of(problem, keys);
  return sum / static_cast<double>(problem.batch);
}

std::string supports_no_mask(const Problem& problem) {
  if (!problem_as<AttentionProblem>(problem).masked()) return {};
  return "no sliding window and no key padding in this kernel";
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

std::vector<TensorSpec> forward_results(const AttentionProblem& p) {
  TensorSpec out, lse;
  out.name = "out";
  out.dtype = p.dtype;
  out.shape = {p.batch, p.heads, p.seq, p.head_dim};
  out.sequence_axis = 2;
  lse.name = "lse";
  lse.dtype = accumulator_of(p.dtype);
  lse.shape = {p.batch, p.heads, p.seq};
  lse.sequence_axis = 2;
  if (p.masked()) lse.low = -std::numeric_limits<double>::infinity();  // of rows that see no key
  return {out, lse};
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<AttentionProblem>();
  parse_common(params, *problem);
  problem->batch = positive(params, "batch");
  problem->heads = positive(params, "heads");
  problem->seq = positive(params, "seq");
  problem->head_dim = positive(params, "head_dim");
  problem->kv_heads = parse_kv_heads(params, problem->heads);
  problem->causal = get_bool(params, "causal");
  problem->layout = parse_layout(get_string(params, "layout"));
  problem->window = get_int(params, "window");
  if (problem->window < 0) usage_error(concat("window = ", problem->window, "; allowed: 0 (none) or more"));
  const std::string& key_lengths = get_string(params, "key_lengths");
  if (key_lengths != "full" && key_lengths != "ragged")
    usage_error(concat("key_lengths '", key_lengths, "' is not known; allowed: full, ragged"));
  if (key_lengths == "ragged") problem->key_lengths = ragged_lengths(problem->batch, problem->seq);
  return problem;
}

TensorSpec rows_of(const AttentionProblem& p, std::string name, std::int64_t heads) {
  TensorSpec spec;
  spec.name = std::move(name);
  spec.dtype = p.dtype;
  spec.shape = {p.batch, heads, p.seq, p.head_dim};
  spec.sequence_axis = 2;
  return spec;
}

std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::vector<TensorSpec> specs{rows_of(p, "q", p.heads), rows_of(p, "k", p.kv_heads),
                                rows_of(p, "v", p.kv_heads)};
  if (p.backward()) specs.push_back(rows_of(p, "dout", p.heads));
  return specs;
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.backward())
    return {rows_of(p, "dq", p.heads), rows_of(p, "dk", p.kv_heads), rows_of(p, "dv", p.kv_heads)};
  return forward_results(p);
}

/// A backward pass reads what the forward pass left, besides its inputs. Nobody need read padded keys and
/// values.
std::int64_t io_bytes(const AttentionProblem& p) {
  std::int64_t sum = 0;
  const auto add = [&sum](const std::vector<TensorSpec>& specs) {
    for (const TensorSpec& spec : specs) sum += element_count(spec.shape) * size_of(spec.dtype);
  };
  add(inputs(p));
  add(outputs(p));
  if (p.backward()) add(forward_results(p));
  for (const std::int64_t keys : p.key_lengths)
    sum -= 2 * (p.seq - keys) * p.kv_heads * p.head_dim * size_of(p.dtype);
  return sum;
}

/// Forward: two products of 2 D flops a pair; softmax is counted as exponentials, not flops. On the wire
/// every rank hands the K and V shares of P-1 ranks on, Hkv heads wide. Backward: five products (the scores
/// again, dP, dV, dK, dQ), and every rank hands on P-1 shares of K and V with the fp32 (fp64) sums of dK and
/// dV that go with them; its own share's sums start at home.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const double head_pairs = static_cast<double>(p.batch * p.heads) * pair_count(p);
  const std::int64_t share = (p.seq + p.ranks - 1) / p.ranks;
  const std::int64_t sums = p.backward() ? size_of(accumulator_of(p.dtype)) : 0;
  Cost cost;
  cost.flops = (p.backward() ? 10.0 : 4.0) * head_pairs * static_cast<double>(p.head_dim);
  cost.bytes = static_cast<double>(io_bytes(p));
  cost.exps = head_pairs;
  cost.wire_bytes = static_cast<double>((p.ranks - 1) * 2 * p.batch * share * p.kv_heads * p.head_dim *
                                        (size_of(p.dtype) + sums));
  return cost;
}

std::vector<IndexTable> tables(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.key_lengths.empty()) return {};
  return {{"key_lengths", {p.batch}, p.key_lengths}};
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return rank_positions(problem_as<AttentionProblem>(problem), rank);
}

/// The mean over all rows. Backward, two fifths of it are spent however few rows are asked for.
double reference_ops_per_row(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return cost(p).flops / static_cast<double>(p.seq);
}

/// Forward. accumulation: a score is a sum of D products and an output a sum of up to L weighted values; with
/// N(0,1) inputs the errors are independent and grow as sqrt, so 64 eps (7.6e-6 in fp32) is ten times what
/// good kernels show and far below any indexing mistake. storage: half an eps for rounding the output, half
/// for weights that a 16-bit matrix unit reads. lse never passes through 16 bits, but the weights behind it
/// may come from an exponential that is only as good as 16-bit weights need (LibTorch's is 5e-5 off): a 64th.
///
/// Backward. A key's gradient is one chain of L H/Hkv additions, whose rounding grows as the square root of
/// its length (kernels show 0.6 eps times that root): accumulation grows with it. dv is a weighted sum like
/// out. dq and dk come from dS = P (dP - delta), a difference: delta carries the rounding of out to 16 bits,
/// so storage is doubled. Of few rows that difference can be small by chance while its rounding is not (30
/// times the usual error at L = 2, 2 times at L = 8 in 30 seeds).
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (!p.backward())
    return rounding_tolerance(p.dtype, {.accumulation = 64.0, .storage = output == "lse" ? 1.0 / 64.0 : 1.0});
  const double length = static_cast<double>(p.seq), few = 1.0 + 64.0 / (length * length);
  const double chain = 128.0 + std::sqrt(length * static_cast<double>(p.group()));
  if (output == "dv") return rounding_tolerance(p.dtype, {.accumulation = chain, .storage = 1.0});
  return few * rounding_tolerance(p.dtype, {.accumulation = chain, .storage = 2.0});
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
               {"layout", std::string("contiguous"), "how ranks cut the sequence: contiguous zigzag striped"},
               {"window", std::int64_t{0},
                "sliding window (w): position i sees keys i-w+1..i, not causal i-w+1..i+w-1; 0: none"},
               {"key_lengths", std::string("full"),
                "valid keys of the sequences: full (all seq) or ragged (the first seq, the others 1..seq)"}},
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
}  // namespace bench::attention
