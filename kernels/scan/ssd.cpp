// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the ssd op, and its registration.
#include "kernels/scan/ssd.hpp"

#include <cmath>
#include <utility>
#include <vector>

#include "kernels/scan/selective.hpp"
#include "kernels/scan/ssd_bwd.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {
namespace {

/// One head of one batch entry, all steps; `state` holds its P x N states, before and after.
void reference_head(const SsdProblem& p, const Tensors& in, std::span<const std::int64_t> rows,
                    std::int64_t entry, std::int64_t head, View<double, 4> out, double* state) {
  const auto x = view<double, 4>(in["x"]), big_b = view<double, 4>(in["B"]), big_c = view<double, 4>(in["C"]);
  const auto dt = view<double, 3>(in["dt"]);
  const auto z = p.gated ? view<double, 4>(in["z"]) : View<const double, 4>{};
  const double a = in["A"].at(head), skip = in["D"].at(head), bias = in["dt_bias"].at(head);
  const std::int64_t g = head / p.group_heads();
  const Segments segments = p.segments();
  std::size_t row = 0;
  for (std::int64_t t = 0; t < p.seq; ++t) {
    const double d = p.limits.step(dt(entry, t, head) + bias), decay = segments.start_at(t) ? 0.0 : std::exp(d * a);
    const bool wanted = row < rows.size() && rows[row] == t;
    for (std::int64_t i = 0; i < p.head_dim; ++i) {
      double* s = state + i * p.state;
      double y = skip * x(entry, t, head, i);
      for (std::int64_t n = 0; n < p.state; ++n) {
        s[n] = decay * s[n] + d * x(entry, t, head, i) * big_b(entry, t, g, n);
        y += s[n] * big_c(entry, t, g, n);
      }
      if (wanted) out(entry, row, head, i) = p.gated ? y * silu(z(entry, t, head, i)) : y;
    }
    if (wanted) ++row;
  }
}

}  // namespace

Tensors ssd_reference(const Problem& problem, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.backward()) return ssd_bwd_reference(p, inputs, rows);
  Tensors outputs;
  const auto count = static_cast<std::int64_t>(rows.size());
  outputs.add("out", Tensor(DType::f64, {p.batch, count, p.heads, p.head_dim}));
  outputs.add("h_last", Tensor(DType::f64, {p.batch, p.heads, p.head_dim, p.state}));
  const auto out = view<double, 4>(outputs["out"]), h_last = view<double, 4>(outputs["h_last"]);
  for (std::int64_t i = 0; i < inputs["h0"].count(); ++i) outputs["h_last"].set(i, inputs["h0"].at(i));
  for (std::int64_t i = 0; i < p.batch; ++i)
    for (std::int64_t h = 0; h < p.heads; ++h)
      reference_head(p, inputs, rows, i, h, out, &h_last(i, h, 0, 0));
  return outputs;
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<SsdProblem>();
  parse_scan(params, *problem);
  problem->heads = positive(params, "heads");
  problem->head_dim = positive(params, "head_dim");
  problem->state = positive(params, "state");
  problem->groups = parse_groups(params, "heads", problem->heads);
  problem->gated = get_bool(params, "gated");
  problem->limits = parse_step_limits(get_string(params, "dt_limit"));
  return problem;
}

/// As a trained layer starts: A spans 1 .. 16, and the bias puts softplus(bias) log-uniformly between 1e-3
/// and 1e-1 (softplus(x) is about e^x there), so that states remember from a step to a thousand steps.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  const DType state = state_dtype(p.dtype);
  const Shape mixers{p.batch, p.seq, p.groups, p.state};
  std::vector<TensorSpec> specs{make_spec("x", p.dtype, {p.batch, p.seq, p.heads, p.head_dim}, 1),
                                make_spec("dt", p.dtype, {p.batch, p.seq, p.heads}, 1),
                                make_uniform_spec("A", state, {p.heads}, -1, -16.0, -1.0),
                                make_spec("B", p.dtype, mixers, 1),
                                make_spec("C", p.dtype, mixers, 1),
                                make_spec("D", state, {p.heads}, -1),
                                make_uniform_spec("dt_bias", state, {p.heads}, -1, -6.9, -2.25),
                                make_spec("h0", state, {p.batch, p.heads, p.head_dim, p.state}, -1)};
  if (p.gated) specs.push_back(make_spec("z", p.dtype, specs[0].shape, 1));
  if (p.backward())
    for (TensorSpec& spec : ssd_bwd_more_inputs(p)) specs.push_back(std::move(spec));
  return specs;
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.backward()) return ssd_bwd_outputs(p);
  return {make_spec("out", p.dtype, {p.batch, p.seq, p.heads, p.head_dim}, 1),
          make_spec("h_last", state_dtype(p.dtype), {p.batch, p.heads, p.head_dim, p.state}, -1)};
}

/// FLOPs: 4 a step and element of state, of the recurrence: x B^T into it and its product with C out of it.
/// No form does with fewer: h0 meets every C and every x B^T meets h_last. The decay is left out, because it
/// need not be multiplied in at every step. Quadratic forms add what they spend inside a chunk; that is their
/// affair. Where a packed sequence begins x B^T need not be added, and there is no decay. Bytes: x, dt, B and C read and out written once, and the constants and states once. Exps: the
/// decay and two for softplus (exp, log1p) a step and head; gated, z is read and two for silu (exp, quotient)
/// an element come on top. Wire: the states, which a rank must pass on for
/// the next to begin; independent of L.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.backward()) return ssd_bwd_cost(p);
  const double rows = static_cast<double>(p.batch) * static_cast<double>(p.seq);
  const double heads = static_cast<double>(p.heads), head_dim = static_cast<double>(p.head_dim);
  const double mixers = static_cast<double>(p.groups) * static_cast<double>(p.state);
  const double entry_states = heads * static_cast<double>(p.head_states());
  const double states = static_cast<double>(p.batch) * entry_states;
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (4.0 * rows - p.resets()) * entry_states;
  cost.bytes = size * rows * (2.0 * heads * head_dim + heads + 2.0 * mixers) +
               state_size * (3.0 * heads + 2.0 * states);
  cost.exps = (3.0 * rows - p.resets()) * heads;
  if (p.gated) cost.bytes += size * rows * heads * head_dim, cost.exps += 2.0 * rows * heads * head_dim;
  cost.wire_bytes = p.ranks > 1 ? state_size * states : 0.0;
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<SsdProblem>(problem).seq, problem.ranks, rank);
}

double reference_ops_per_row(const Problem&) {
  return 0.0;
}  // every step is needed for the last one, or backward for the first

/// As the selective op's 80 eps, twice: a chunked form writes the decay from j to i as exp(s_i) exp(-s_j) or
/// exp(s_i - s_j), whose rounding is that of the sums s, some ten eps for |s| up to 32 on top of the memory
/// of some ten steps. 160 eps = 1.9e-5. A 16-bit `out` adds half an eps of its own when it is stored; 1
/// leaves room. The states stay in the accumulator's type.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<SsdProblem>(problem);
  if (p.backward()) return ssd_bwd_tolerance(p, output);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = 160.0, .storage = 1.0});
}

const Registrar<Op> registrar{{
    .name = "ssd",
    .help = "Mamba-2 state-space scan, one decay a head and step",
    .params = {{"batch", std::int64_t{1}, "batch entries (B)"},
               {"seq", std::int64_t{2048}, "steps (L)"},
               {"heads", std::int64_t{16}, "heads (H)"},
               {"head_dim", std::int64_t{64}, "width of a head (P), elements"},
               {"state", std::int64_t{128}, "states per element of a head (N)"},
               {"groups", std::int64_t{1}, "groups of heads that share B and C (G), a divisor of heads"},
               {"gated", false, "multiply by silu(z)"},
               {"dt_limit", std::string("0:inf"), "least and greatest step after softplus, low:high"},
               segments_param()},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = ssd_reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .tables = scan_tables,
}};

}  // namespace
}  // namespace bench::scan
