// SPDX-License-Identifier: Apache-2.0
// Parameters, fp64 oracle, cost model and tolerance of the recurrence op, and its registration.
#include "kernels/scan/recurrence.hpp"

#include "kernels/scan/recurrence_bwd.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {

namespace {

/// N: double, or pairs of them.
template <class N>
Tensors reference(const RecurrenceProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto a = numbers<N, 3>(inputs["a"]), b = numbers<N, 3>(inputs["b"]);
  const auto h0 = numbers<N, 2>(inputs["h0"]);
  Tensors outputs;
  outputs.add("h", Tensor(DType::f64, p.shape(static_cast<std::int64_t>(rows.size()))));
  outputs.add("h_last", Tensor(DType::f64, p.state_shape()));
  const auto h = numbers<N, 3>(outputs["h"]);
  const auto h_last = numbers<N, 2>(outputs["h_last"]);
  const Segments segments = p.segments();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      N state = h0(i, c);
      std::size_t row = 0;
      for (std::int64_t t = 0; t < p.seq; ++t) {
        if (segments.start_at(t)) state = N{};
        state = sum(product(at_step(p, a, i, t, c), state), at_step(p, b, i, t, c));
        if (row < rows.size() && rows[row] == t) at_step(p, h, i, static_cast<std::int64_t>(row++), c) = state;
      }
      h_last(i, c) = state;
    }
  }
  return outputs;
}

}  // namespace

Tensors recurrence_reference(const Problem& problem, const Tensors& inputs,
                             std::span<const std::int64_t> rows) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_reference(p, inputs, rows);
  return p.complex ? reference<ComplexOf<double>>(p, inputs, rows) : reference<double>(p, inputs, rows);
}

std::string needs_real_numbers(const Problem& problem) {
  if (problem_as<RecurrenceProblem>(problem).complex) return "complex = true: this kernel works on real numbers";
  return {};
}

std::string needs_one_real_sequence(const Problem& problem) {
  const std::string reason = needs_real_numbers(problem);
  return reason.empty() ? needs_one_sequence(problem) : reason;
}

std::string needs_time_middle(const Problem& problem) {
  if (problem_as<RecurrenceProblem>(problem).time_last)
    return "time_axis = last: this kernel works on rows of channels";
  return needs_real_numbers(problem);
}

std::string needs_time_last(const Problem& problem) {
  if (!problem_as<RecurrenceProblem>(problem).time_last)
    return "time_axis = middle: this kernel works on lines of steps";
  return needs_real_numbers(problem);
}

/// Decays a ~ U(0.5, 1): a state remembers from 2 to arbitrarily many steps, so an error in a carry is seen
/// far down the sequence, yet the state stays of order 1 for any length. U(0, 1) would forget a wrong carry
/// within a few steps; a > 1 would overflow. Complex ones have both parts ~ U(0.45, 0.7): they turn a state by about an eighth of a
/// turn and leave 0.64 to 0.99 of it.
TensorSpec RecurrenceProblem::decays() const {
  return make_uniform_spec("a", dtype, shape(seq), time_axis(), complex ? 0.45 : 0.5, complex ? 0.7 : 1.0);
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
  problem->complex = get_bool(params, "complex");
  return problem;
}

std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_inputs(p);
  return {p.decays(), make_spec("b", p.dtype, p.shape(p.seq), p.time_axis()),
          make_spec("h0", state_dtype(p.dtype), p.state_shape(), -1)};
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_outputs(p);
  return {make_spec("h", p.dtype, p.shape(p.seq), p.time_axis()),
          make_spec("h_last", state_dtype(p.dtype), p.state_shape(), -1)};
}

/// Bytes: a and b read, h written once, h0 read, h_last written. FLOPs: one multiply and one add a step, of complex numbers four of each; none where a
/// packed sequence begins.
/// Wire: one state per batch entry and channel, which a rank must pass on for the next to begin; independent
/// of L.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_cost(p);
  const double states = static_cast<double>(p.batch * p.channels);
  const double steps = states * static_cast<double>(p.seq);
  const double parts = static_cast<double>(p.parts()), state_bytes = parts * static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (p.complex ? 8.0 : 2.0) * (steps - p.resets() * static_cast<double>(p.channels));
  cost.bytes = 3.0 * parts * static_cast<double>(size_of(p.dtype)) * steps + 2.0 * state_bytes * states;
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
/// stored; 1 leaves room. The states stay in the accumulator's type. A complex product errs by up to sqrt(5) half eps of its magnitude (Brent, Percival &
/// Zimmermann 2007) where a real one does by one: three times as much.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  if (p.backward()) return recurrence_bwd_tolerance(p, output);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = p.complex ? 96.0 : 32.0, .storage = 1.0});
}

const Registrar<Op> registrar{{
    .name = "recurrence",
    .help = "diagonal linear recurrence h_t = a_t h_{t-1} + b_t",
    .params = {{"batch", std::int64_t{1}, "batch entries (B)"},
               {"seq", std::int64_t{4096}, "steps (L)"},
               {"channels", std::int64_t{1024}, "channels (C)"},
               {"time_axis", std::string("middle"), "tensors (B, L, C): middle, or (B, C, L): last"},
               {"complex", false, "a, b and h are complex: pairs of numbers, one more axis of 2"},
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
