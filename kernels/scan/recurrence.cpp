// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the recurrence op, and its registration.
#include "kernels/scan/recurrence.hpp"

#include "kernels/scan/recurrence_bwd.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {

Tensors recurrence_reference(const Problem& problem, const Tensors& inputs,
                             std::span<const std::int64_t> rows) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_reference(p, inputs, rows);
  const auto a = view<double, 3>(inputs["a"]);
  const auto b = view<double, 3>(inputs["b"]);
  const auto h0 = view<double, 2>(inputs["h0"]);
  Tensors outputs;
  outputs.add("h", Tensor(DType::f64, p.shape(static_cast<std::int64_t>(rows.size()))));
  outputs.add("h_last", Tensor(DType::f64, {p.batch, p.channels}));
  const auto h = view<double, 3>(outputs["h"]);
  const auto h_last = view<double, 2>(outputs["h_last"]);
  const Segments segments = p.segments();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      double state = h0(i, c);
      std::size_t row = 0;
      for (std::int64_t t = 0; t < p.seq; ++t) {
        if (segments.start_at(t)) state = 0.0;
        state = at_step(p, a, i, t, c) * state + at_step(p, b, i, t, c);
        if (row < rows.size() && rows[row] == t) at_step(p, h, i, static_cast<std::int64_t>(row++), c) = state;
      }
      h_last(i, c) = state;
    }
  }
  return outputs;
}

std::string needs_time_middle(const Problem& problem) {
  if (problem_as<RecurrenceProblem>(problem).time_last)
    return "time_axis = last: this kernel works on rows of channels";
  return {};
}

std::string needs_time_last(const Problem& problem) {
  if (!problem_as<RecurrenceProblem>(problem).time_last)
    return "time_axis = middle: this kernel works on lines of steps";
  return {};
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<RecurrenceProblem>();
  parse_scan(params, *problem);
  problem->channels = positive(params, "channels");
  const std::string axis = get_string(params, "time_axis");
  if (axis != "middle" && axis != "last")
    usage_error(concat("time_axis '", axis, "' is not known; allowed: middle, last"));
  problem->time_last = axis == "last";
  return problem;
}

/// Decays a ~ U(0.5, 1): a state remembers from 2 to arbitrarily many steps, so an error in a carry is seen
/// far down the sequence, yet the state stays of order 1 for any length. U(0, 1) would forget a wrong carry
/// within a few steps; a > 1 would overflow.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_inputs(p);
  const Shape steps = p.shape(p.seq);
  return {make_uniform_spec("a", p.dtype, steps, p.time_axis(), 0.5, 1.0),
          make_spec("b", p.dtype, steps, p.time_axis()),
          make_spec("h0", state_dtype(p.dtype), {p.batch, p.channels}, -1)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_outputs(p);
  return {make_spec("h", p.dtype, p.shape(p.seq), p.time_axis()),
          make_spec("h_last", state_dtype(p.dtype), {p.batch, p.channels}, -1)};
}

/// Bytes: a and b read, h written once, h0 read, h_last written. FLOPs: one multiply and one add a step, none where a
/// packed sequence begins.
/// Wire: one state per batch entry and channel, which a rank must pass on for the next to begin; independent
/// of L.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_cost(p);
  const double states = static_cast<double>(p.batch * p.channels);
  const double steps = states * static_cast<double>(p.seq);
  const double state_bytes = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = 2.0 * (steps - p.resets() * static_cast<double>(p.channels));
  cost.bytes = 3.0 * static_cast<double>(size_of(p.dtype)) * steps + 2.0 * state_bytes * states;
  cost.wire_bytes = p.ranks > 1 ? state_bytes * states : 0.0;
  return cost;
}

std::vector<std::int64_t> positions(const Problem& problem, std::int64_t rank) {
  return contiguous_positions(problem_as<RecurrenceProblem>(problem).seq, problem.ranks, rank);
}

double reference_ops_per_row(const Problem&) {
  return 0.0;
}  // every step is needed for the last one, or backward for the first

/// A step adds at most 1 eps of the largest state (two roundings), and earlier errors fade with the decays:
/// with a ~ U(0.5, 1) the sum is some 4 eps, with decays near 1 it grows like sqrt(L): 11 eps measured at L =
/// 1M, 15 in tree order. 32 eps = 4e-6 covers both orders. A 16-bit h adds half an eps of its own when it is
/// stored; 1 leaves room. The states stay in the accumulator's type.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_tolerance(p, output);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = 32.0, .storage = 1.0});
}

const Registrar<Op> registrar{{
    .name = "recurrence",
    .help = "diagonal linear recurrence h_t = a_t h_{t-1} + b_t",
    .params = {{"batch", std::int64_t{1}, "batch entries (B)"},
               {"seq", std::int64_t{4096}, "steps (L)"},
               {"channels", std::int64_t{1024}, "channels (C)"},
               {"time_axis", std::string("middle"), "tensors (B, L, C): middle, or (B, C, L): last"},
               segments_param()},
    .parse = parse,
    .inputs = inputs,
    .outputs = outputs,
    .cost = cost,
    .positions = positions,
    .reference = recurrence_reference,
    .reference_ops_per_row = reference_ops_per_row,
    .tolerance = tolerance,
    .tables = scan_tables,
}};

}  // namespace
}  // namespace bench::scan
