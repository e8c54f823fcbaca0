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

bool asks_for(const AttentionProblem& p, Feature feature) {
  switch (feature) {
    case Feature::window: return p.window > 0;
    case Feature::padding: return !p.key_lengths.empty();
    case Feature::kv_seq: return !p.own_keys();
    case Feature::softcap: return p.softcap > 0;
    case Feature::segments: return !p.starts.empty();
  }
  return false;
}

std::string_view to_text(Feature feature) {
  switch (feature) {
    case Feature::window: return "no sliding window";
    case Feature::padding: return "no key padding";
    case Feature::kv_seq: return "as many keys as queries only";
    case Feature::softcap: return "no capped scores";
    case Feature::segments: return "no packed sequences";
  }
  return "?";
}

}  // namespace

std::string supports_only(const Problem& problem, std::initializer_list<Feature> known) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::string missing;
  for (const Feature feature : {Feature::window, Feature::padding, Feature::kv_seq, Feature::softcap, Feature::segments})
    if (asks_for(p, feature) && std::ranges::find(known, feature) == known.end())
      missing += concat(missing.empty() ? "" : ", ", to_text(feature));
  return missing.empty() ? missing : missing + " in this kernel";
}

std::string supports_no_mask(const Problem& problem) {
  return supports_only(problem, {});
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
  if (p.masked() || !p.own_keys()) lse.low = -std::numeric_limits<double>::infinity();  // of rows that see no key
  return {out, lse};
}

namespace {

/// kv_seq, softcap and segments.
void parse_shape(const Params& params, AttentionProblem& p) {
  p.kv_seq = get_int(params, "kv_seq");
  p.softcap = get_int(params, "softcap");
  if (p.kv_seq < 0) usage_error(concat("kv_seq = ", p.kv_seq, "; allowed: 0 (as many as seq) or more"));
  if (p.softcap < 0) usage_error(concat("softcap = ", p.softcap, "; allowed: 0 (none) or more"));
  p.starts = parse_segments(params, p.seq);
  if (!p.starts.empty() && !p.own_keys())
    usage_error(concat("segments = ", p.starts.size() + 1, " and kv_seq = ", p.kv_seq, ": packed sequences have as many keys as queries"));
}

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
  parse_shape(params, *problem);
  if (key_lengths == "ragged") problem->key_lengths = ragged_lengths(problem->batch, problem->kv_length());
  return problem;
}

TensorSpec query_spec(const AttentionProblem& p, std::string name) {
  return make_spec(std::move(name), p.dtype, {p.batch, p.heads, p.seq, p.head_dim}, 2);
}

/// Positions are those of the queries: other keys than theirs have none, and are nobody's share.
TensorSpec key_spec(const AttentionProblem& p, std::string name) {
  return make_spec(std::move(name), p.dtype, {p.batch, p.kv_heads, p.kv_length(), p.head_dim}, p.own_keys() ? 2 : -1);
}

std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::vector<TensorSpec> specs{query_spec(p, "q"), key_spec(p, "k"), key_spec(p, "v")};
  if (p.backward()) specs.push_back(query_spec(p, "dout"));
  return specs;
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (p.backward()) return {query_spec(p, "dq"), key_spec(p, "dk"), key_spec(p, "dv")};
  return forward_results(p);
}

/// A backward pass reads what the forward pass left, besides its inputs. Nobody need read keys and values that no
/// row sees: padded ones, or those before the first row's window.
std::int64_t io_bytes(const AttentionProblem& p) {
  std::int64_t sum = 0;
  const auto add = [&sum](const std::vector<TensorSpec>& specs) {
    for (const TensorSpec& spec : specs) sum += element_count(spec.shape) * size_of(spec.dtype);
  };
  add(inputs(p));
  add(outputs(p));
  if (p.backward()) add(forward_results(p));
  for (std::int64_t b = 0; b < p.batch; ++b) {
    const std::int64_t seen = p.visible(b, p.seq - 1).end - p.visible(b, 0).first;
    sum -= 2 * (p.kv_length() - seen) * p.kv_heads * p.head_dim * size_of(p.dtype);
  }
  return sum;
}

/// Forward: two products of 2 D flops a pair; softmax is counted as exponentials, not flops, and the hyperbolic
/// tangent of a capped score as one more. On the wire
/// every rank hands the K and V shares of P-1 ranks on, Hkv heads wide. Backward: five products (the scores
/// again, dP, dV, dK, dQ), and every rank hands on P-1 shares of K and V with the fp32 (fp64) sums of dK and
/// dV that go with them; its own share's sums start at home.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  const double head_pairs = static_cast<double>(p.batch * p.heads) * pair_count(p);
  const std::int64_t share = (p.kv_length() + p.ranks - 1) / p.ranks;
  const std::int64_t sums = p.backward() ? size_of(accumulator_of(p.dtype)) : 0;
  Cost cost;
  cost.flops = (p.backward() ? 10.0 : 4.0) * head_pairs * static_cast<double>(p.head_dim);
  cost.bytes = static_cast<double>(io_bytes(p));
  cost.exps = p.softcap > 0 ? 2.0 * head_pairs : head_pairs;
  cost.wire_bytes = static_cast<double>((p.ranks - 1) * 2 * p.batch * share * p.kv_heads * p.head_dim *
                                        (size_of(p.dtype) + sums));
  return cost;
}

std::vector<IndexTable> tables(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  std::vector<IndexTable> tables;
  if (!p.key_lengths.empty()) tables.push_back({"key_lengths", {p.batch}, p.key_lengths});
  if (!p.starts.empty()) tables.push_back(cu_seqlens(p.starts, p.seq));
  return tables;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return rank_positions(problem_as<AttentionProblem>(problem), rank);
}

/// The mean over all rows. Backward, two fifths of it are spent however few rows are asked for.
double reference_ops_per_row(const Problem& problem) {
  const auto& p = problem_as<AttentionProblem>(problem);
  return cost(p).flops / static_cast<double>(p.seq);
}

/// Rows or keys of the longest sequence, whichever are fewer.
std::int64_t shorter_side(const AttentionProblem& p) {
  std::int64_t longest = 0;
  for (KeyRange own{}; !p.starts.empty() && own.end < p.seq;) {
    own = p.sequence_at(own.end);
    longest = std::max(longest, own.size());
  }
  return p.starts.empty() ? std::min(p.seq, p.kv_length()) : longest;
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
/// so storage is doubled. Of few rows or keys that difference can be small by chance while its rounding is not (30
/// times the usual error at L = 2, 2 times at L = 8 in 30 seeds).
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<AttentionProblem>(problem);
  if (!p.backward())
    return rounding_tolerance(p.dtype, {.accumulation = 64.0, .storage = output == "lse" ? 1.0 / 64.0 : 1.0});
  const double length = static_cast<double>(p.seq), least = static_cast<double>(shorter_side(p)), few = 1.0 + 64.0 / (least * least);
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
                "valid keys of the sequences: full (all) or ragged (the first all, the others 1 and more)"},
               {"kv_seq", std::int64_t{0},
                "keys and values of a sequence (Lk), the last query standing at the last of them; 0: seq"},
               {"softcap", std::int64_t{0}, "scores are capped to c tanh(s / c), c = softcap; 0: not"},
               {"segments", std::int64_t{1},
                "sequences packed along seq, cut at random, none of which sees another's keys; not with kv_seq"}},
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
