// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the ssm_update op, and its registration.
#include "kernels/scan/update.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/ragged.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {

Tensors update_reference(const Problem& problem, const Tensors& in, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const auto x = view<double, 3>(in["x"]), z = view<double, 3>(in["z"]), dt = view<double, 3>(in["dt"]);
  const auto b = view<double, 3>(in["B"]), c = view<double, 3>(in["C"]), a = view<double, 3>(in["A"]);
  const auto skip = view<double, 2>(in["D"]), bias = view<double, 2>(in["dt_bias"]);
  const auto h0 = view<double, 4>(in["h0"]);
  const auto count = static_cast<std::int64_t>(rows.size());
  Tensors outputs;
  outputs.add("out", Tensor(DType::f64, {count, p.heads, p.head_dim}));
  outputs.add("h_last", Tensor(DType::f64, {count, p.heads, p.head_dim, p.state}));
  const auto out = view<double, 3>(outputs["out"]);
  const auto h_last = view<double, 4>(outputs["h_last"]);
  for (std::int64_t row = 0; row < count; ++row) {
    const std::int64_t entry = rows[static_cast<std::size_t>(row)], slot = p.slot_of(entry);
    for (std::int64_t h = 0; h < p.heads; ++h) {
      for (std::int64_t i = 0; i < p.head_dim; ++i) {
        if (slot < 0) {
          out(row, h, i) = 0.0;
          std::fill_n(&h_last(row, h, i, 0), p.state, 0.0);
          continue;
        }
        const std::int64_t g = h / (p.heads / p.groups), w = p.tied ? 0 : i;
        const double d = softplus(dt(entry, h, w) + bias(h, w)), u = x(entry, h, i);
        double y = skip(h, w) * u;
        for (std::int64_t n = 0; n < p.state; ++n) {
          const double decay = std::exp(d * a(h, w, p.tied ? 0 : n));
          h_last(row, h, i, n) = decay * h0(slot, h, i, n) + d * u * b(entry, g, n);
          y += h_last(row, h, i, n) * c(entry, g, n);
        }
        out(row, h, i) = y * silu(z(entry, h, i));
      }
    }
  }
  return outputs;
}

namespace {

void parse_slots(const Params& params, UpdateProblem& problem) {
  problem.slots = get_int(params, "slots");
  problem.padding = get_int(params, "padding");
  if (problem.padding < 0 || problem.padding > (problem.slots == 0 ? 0 : problem.batch))
    usage_error(concat("padding = ", problem.padding, "; allowed: 0, or with slots up to batch = ", problem.batch));
  if (problem.slots != 0 && problem.slots < std::max<std::int64_t>(problem.live(), 1))
    usage_error(concat("slots = ", problem.slots, "; allowed: 0, or as many as the batch entries that are no padding"));
  if (problem.slots == 0) return;
  problem.state_batch_indices = random_order<std::int32_t>(CounterRng(1, "state_batch_indices"), problem.slots);
  problem.state_batch_indices.resize(static_cast<std::size_t>(problem.live()));
  problem.state_batch_indices.resize(static_cast<std::size_t>(problem.batch), -1);
}

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<UpdateProblem>();
  parse_common(params, *problem);
  if (problem->pass != "fwd") usage_error(concat("pass = ", problem->pass, "; allowed for ssm_update: fwd"));
  problem->batch = positive(params, "batch");
  problem->heads = positive(params, "heads");
  problem->head_dim = positive(params, "head_dim");
  problem->state = positive(params, "state");
  problem->groups = parse_groups(params, "heads", problem->heads);
  problem->tied = get_bool(params, "tied");
  parse_slots(params, *problem);
  return problem;
}

/// As a trained layer starts; see the ssd and selective ops. Batch entries are what a check may leave out.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const DType state = state_dtype(p.dtype);
  const bool cached = p.slots > 0;
  return {make_spec("x", p.dtype, {p.batch, p.heads, p.head_dim}, 0),
          make_spec("dt", p.dtype, {p.batch, p.heads, p.step_width()}, 0),
          make_uniform_spec("A", state, {p.heads, p.step_width(), p.decay_width()}, -1, -16.0, -1.0),
          make_spec("B", p.dtype, {p.batch, p.groups, p.state}, 0),
          make_spec("C", p.dtype, {p.batch, p.groups, p.state}, 0),
          make_spec("D", state, {p.heads, p.step_width()}, -1),
          make_spec("z", p.dtype, {p.batch, p.heads, p.head_dim}, 0),
          make_uniform_spec("dt_bias", state, {p.heads, p.step_width()}, -1, -6.9, -2.25),
          make_spec("h0", state, {cached ? p.slots : p.batch, p.heads, p.head_dim, p.state}, cached ? -1 : 0)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  return {make_spec("out", p.dtype, {p.batch, p.heads, p.head_dim}, 0),
          make_spec("h_last", state_dtype(p.dtype), {p.batch, p.heads, p.head_dim, p.state}, 0)};
}

/// Bytes: every tensor once; the states, in and out, are nearly all of them. FLOPs: 5 a state (decay times
/// state, plus x B, times C), 6 untied (d A). Exps: the decays, two for each softplus (exp, log1p) and two
/// for each gate (exp, quotient). Of a cache only the slots that entries have are read, not the indices; of padding only
/// the zeros are written.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const double live = static_cast<double>(p.live()), batch = static_cast<double>(p.batch), heads = static_cast<double>(p.heads);
  const double width = static_cast<double>(p.step_width()), states = static_cast<double>(p.entry_states());
  const double decays = width * static_cast<double>(p.decay_width());
  const double elements = heads * static_cast<double>(p.head_dim);
  const double mixers = static_cast<double>(p.groups) * static_cast<double>(p.state);
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (p.tied ? 5.0 : 6.0) * live * states;
  cost.bytes = size * (live * (2.0 * elements + heads * width + 2.0 * mixers) + batch * elements) +
               state_size * (heads * (decays + 2.0 * width) + (live + batch) * states);
  cost.exps = live * (heads * (decays + 2.0 * width) + 2.0 * elements);
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<UpdateProblem>(problem).batch, problem.ranks, rank);
}

double reference_ops_per_row(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  constexpr double kPerState = 25.0;  // its exp counts for twenty
  return kPerState * static_cast<double>(p.heads * p.head_dim * p.state);
}

/// A few eps in d, up to 2 |d A| e^-|d A| of them in the decay, and the sum over n, which grows as a walk: 40
/// eps. A 16-bit `out` adds half an eps of its own when it is stored; 1 leaves room.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<UpdateProblem>(problem);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = 40.0, .storage = 1.0});
}

std::vector<IndexTable> tables(const Problem& problem) {
  const auto& p = problem_as<UpdateProblem>(problem);
  if (p.slots == 0) return {};
  return {{"state_batch_indices", {p.batch}, {p.state_batch_indices.begin(), p.state_batch_indices.end()}}};
}

const Registrar<Op> registrar{{
    .name = "ssm_update",
    .help = "one token of state-space generation: the state update of Mamba-1 and Mamba-2",
    .params = {{"batch", std::int64_t{16}, "sequences (B)"},
               {"heads", std::int64_t{16}, "heads (H)"},
               {"head_dim", std::int64_t{64}, "width of a head (P), elements"},
               {"state", std::int64_t{128}, "states per element of a head (N)"},
               {"groups", std::int64_t{1}, "groups of heads that share B and C (G), a divisor of heads"},
               {"tied", true, "one decay a head (Mamba-2), or one for every state (Mamba-1)"},
               {"slots", std::int64_t{0},
                "states in the cache, from which entries take theirs in random order; 0: one for each entry, in order"},
               {"padding", std::int64_t{0}, "entries at the end of the batch that have no state, with slots"}},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = update_reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .tables = tables,
}};

}  // namespace
}  // namespace bench::scan
