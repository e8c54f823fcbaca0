// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the selective op, and its registration.
#include "kernels/scan/selective.hpp"

#include <algorithm>
#include <vector>

#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective_bwd.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {
namespace {

/// One channel of one batch entry, all steps; `h` holds its N states, before and after.
void reference_channel(const SelectiveProblem& p, const Tensors& in, std::span<const std::int64_t> rows,
                       std::int64_t entry, std::int64_t c, View<double, 3> out, double* h) {
  const auto u = view<double, 3>(in["u"]), delta = view<double, 3>(in["delta"]), z = view<double, 3>(in["z"]);
  const auto big_b = view<double, 4>(in["B"]), big_c = view<double, 4>(in["C"]);
  const auto a = view<double, 2>(in["A"]);
  const double skip = in["D"].at(c), bias = in["delta_bias"].at(c);
  const std::int64_t g = c / p.group_channels();
  const Segments segments = p.segments();
  std::size_t row = 0;
  for (std::int64_t t = 0; t < p.seq; ++t) {
    const double d = softplus(delta(entry, t, c) + bias);
    double y = skip * u(entry, t, c);
    if (segments.start_at(t)) std::fill_n(h, p.state, 0.0);
    for (std::int64_t n = 0; n < p.state; ++n) {
      h[n] = std::exp(d * a(c, n)) * h[n] + d * u(entry, t, c) * big_b(entry, t, g, n);
      y += big_c(entry, t, g, n) * h[n];
    }
    if (row < rows.size() && rows[row] == t) out(entry, row++, c) = y * silu(z(entry, t, c));
  }
}

}  // namespace

Tensors selective_reference(const Problem& problem, const Tensors& inputs,
                            std::span<const std::int64_t> rows) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_reference(p, inputs, rows);
  Tensors outputs;
  outputs.add("out", Tensor(DType::f64, {p.batch, static_cast<std::int64_t>(rows.size()), p.channels}));
  outputs.add("h_last", Tensor(DType::f64, {p.batch, p.channels, p.state}));
  const auto out = view<double, 3>(outputs["out"]), h_last = view<double, 3>(outputs["h_last"]);
  const auto h0 = view<double, 3>(inputs["h0"]);
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      for (std::int64_t n = 0; n < p.state; ++n) h_last(i, c, n) = h0(i, c, n);
      reference_channel(p, inputs, rows, i, c, out, &h_last(i, c, 0));
    }
  }
  return outputs;
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<SelectiveProblem>();
  parse_scan(params, *problem);
  problem->channels = positive(params, "channels");
  problem->state = positive(params, "state");
  problem->groups = parse_groups(params, "channels", problem->channels);
  return problem;
}

/// As a trained layer starts: A spans the real S4D magnitudes 1 .. N = 16, and the bias puts softplus(bias)
/// log-uniformly between 1e-3 and 1e-1 (softplus(x) is about e^x there), so that states remember from a
/// fraction of a step to a thousand steps.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const DType state = state_dtype(p.dtype);
  const Shape steps{p.batch, p.seq, p.channels}, mixers{p.batch, p.seq, p.groups, p.state};
  std::vector<TensorSpec> specs{make_spec("u", p.dtype, steps, 1),
                                make_spec("delta", p.dtype, steps, 1),
                                make_uniform_spec("A", state, {p.channels, p.state}, -1, -16.0, -0.5),
                                make_spec("B", p.dtype, mixers, 1),
                                make_spec("C", p.dtype, mixers, 1),
                                make_spec("D", state, {p.channels}, -1),
                                make_spec("z", p.dtype, steps, 1),
                                make_uniform_spec("delta_bias", state, {p.channels}, -1, -6.9, -2.25),
                                make_spec("h0", state, {p.batch, p.channels, p.state}, -1)};
  if (p.backward())
    for (TensorSpec& spec : selective_bwd_more_inputs(p)) specs.push_back(std::move(spec));
  return specs;
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_outputs(p);
  return {make_spec("out", p.dtype, {p.batch, p.seq, p.channels}, 1),
          make_spec("h_last", state_dtype(p.dtype), {p.batch, p.channels, p.state}, -1)};
}

/// Bytes: u, delta, z, B and C read and out written once, and the constants and states once. FLOPs: 6 a step
/// and state (d A; e h + x B; C h). Exps: one a step and state, two for softplus (exp, log1p), two for silu
/// (exp, quotient). Where a packed sequence begins there is no decay: an exp and three FLOPs a state less (d A;
/// e h +). Wire: the N states per batch entry and channel, which a rank must pass on for the next
/// to begin; independent of L.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_cost(p);
  const double batch = static_cast<double>(p.batch), channels = static_cast<double>(p.channels);
  const double state = static_cast<double>(p.state), groups = static_cast<double>(p.groups);
  const double rows = batch * static_cast<double>(p.seq);
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (6.0 * rows - 3.0 * p.resets()) * channels * state;
  cost.bytes = size * rows * (4.0 * channels + 2.0 * groups * state) +
               state_size * channels * (state + 2.0 + 2.0 * batch * state);
  cost.exps = channels * (rows * (state + 4.0) - p.resets() * state);
  cost.wire_bytes = p.ranks > 1 ? state_size * batch * channels * state : 0.0;
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<SelectiveProblem>(problem).seq, problem.ranks, rank);
}

double reference_ops_per_row(const Problem&) {
  return 0.0;
}  // every step is needed for the last one, or backward for the first

/// Per step: 2 eps in d, up to 2 eps times |d A| e^-|d A| (at most 0.4 |h|) in the decay, 2 eps in the sum,
/// and the sum over n; they add up over a state's memory of some 10 steps. 80 eps = 1e-5. A 16-bit `out` adds
/// half an eps of its own when it is stored; 1 leaves room. The states stay in the accumulator's type.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_tolerance(p, output);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = 80.0, .storage = 1.0});
}

const Registrar<Op> registrar{{
    .name = "selective",
    .help = "Mamba-1 selective scan with skip and z gate",
    .params = {{"batch", std::int64_t{1}, "batch entries (B)"},
               {"seq", std::int64_t{2048}, "steps (L)"},
               {"channels", std::int64_t{1024}, "channels (C)"},
               {"state", std::int64_t{16}, "states per channel (N)"},
               {"groups", std::int64_t{1},
                "groups of channels that share B and C (G), a divisor of channels"},
               segments_param()},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = selective_reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .tables = scan_tables,
}};

}  // namespace
}  // namespace bench::scan
