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

/// B or C: of the group at each step, or the channel's own.
template <class N>
struct Mixer {
  View<const N, 4> steps;
  View<const N, 2> rows;
  Mixer(const Tensor& tensor, bool constant) {
    if (constant)
      rows = numbers<N, 2>(tensor);
    else
      steps = numbers<N, 4>(tensor);
  }
  N at(std::int64_t entry, std::int64_t t, std::int64_t group, std::int64_t channel, std::int64_t n) const {
    return rows.data != nullptr ? rows(channel, n) : steps(entry, t, group, n);
  }
};

/// One channel of one batch entry, all steps; `h` holds its N states, before and after.
template <class N>
void reference_channel(const SelectiveProblem& p, const Tensors& in, std::span<const std::int64_t> rows,
                       std::int64_t entry, std::int64_t c, View<double, 3> out, N* h) {
  const auto u = view<double, 3>(in["u"]), delta = view<double, 3>(in["delta"]), z = view<double, 3>(in["z"]);
  const Mixer<N> big_b(in["B"], p.constant_b), big_c(in["C"], p.constant_c);
  const auto a = numbers<N, 2>(in["A"]);
  const double skip = in["D"].at(c), bias = in["delta_bias"].at(c);
  const std::int64_t g = c / p.group_channels();
  const Segments segments = p.segments();
  std::size_t row = 0;
  for (std::int64_t t = 0; t < p.seq; ++t) {
    const double d = softplus(delta(entry, t, c) + bias);
    double y = skip * u(entry, t, c);
    if (segments.start_at(t)) std::fill_n(h, p.state, N{});
    for (std::int64_t n = 0; n < p.state; ++n) {
      h[n] = sum(product(decay_of(d, a(c, n)), h[n]), scaled(d * u(entry, t, c), big_b.at(entry, t, g, c, n)));
      y += mixed_out(big_c.at(entry, t, g, c, n), h[n]);
    }
    if (row < rows.size() && rows[row] == t) out(entry, row++, c) = y * silu(z(entry, t, c));
  }
}

/// N: double, or pairs of them.
template <class N>
Tensors reference(const SelectiveProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows) {
  Tensors outputs;
  outputs.add("out", Tensor(DType::f64, {p.batch, static_cast<std::int64_t>(rows.size()), p.channels}));
  outputs.add("h_last", Tensor(DType::f64, p.state_shape()));
  const auto out = view<double, 3>(outputs["out"]);
  const auto h_last = numbers<N, 3>(outputs["h_last"]), h0 = numbers<N, 3>(inputs["h0"]);
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      for (std::int64_t n = 0; n < p.state; ++n) h_last(i, c, n) = h0(i, c, n);
      reference_channel(p, inputs, rows, i, c, out, &h_last(i, c, 0));
    }
  }
  return outputs;
}

}  // namespace

Tensors selective_reference(const Problem& problem, const Tensors& inputs,
                            std::span<const std::int64_t> rows) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_reference(p, inputs, rows);
  return p.complex ? reference<ComplexOf<double>>(p, inputs, rows) : reference<double>(p, inputs, rows);
}

std::string needs_plain_mixers(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.complex) return "complex = true: this kernel works on real numbers";
  if (p.constant_b) return "constant_b = true: this kernel reads B of every step";
  if (p.constant_c) return "constant_c = true: this kernel reads C of every step";
  return {};
}

TensorSpec SelectiveProblem::mixer(const char* name, bool constant, DType of_steps) const {
  if (constant) return make_spec(name, state_dtype(dtype), row_shape(), -1);
  return make_spec(name, of_steps, of_numbers({batch, seq, groups, state}), 1);
}

namespace {

std::unique_ptr<Problem> parse(const Params& params) {
  auto problem = std::make_unique<SelectiveProblem>();
  parse_scan(params, *problem);
  problem->channels = positive(params, "channels");
  problem->state = positive(params, "state");
  problem->groups = parse_groups(params, "channels", problem->channels);
  problem->constant_b = get_bool(params, "constant_b");
  problem->constant_c = get_bool(params, "constant_c");
  problem->complex = get_bool(params, "complex");
  if (problem->groups > 1 && problem->constant_b && problem->constant_c)
    usage_error(concat("groups = ", problem->groups, ": with constant_b and constant_c there is nothing that groups share"));
  return problem;
}

/// As a trained layer starts: A spans the real S4D magnitudes 1 .. N = 16, and the bias puts softplus(bias)
/// log-uniformly between 1e-3 and 1e-1 (softplus(x) is about e^x there), so that states remember from a
/// fraction of a step to a thousand steps. Complex: both parts of A are drawn so, which turns a state by about as much as it decays.
std::vector<TensorSpec> inputs(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const DType state = state_dtype(p.dtype);
  const Shape steps{p.batch, p.seq, p.channels};
  std::vector<TensorSpec> specs{make_spec("u", p.dtype, steps, 1),
                                make_spec("delta", p.dtype, steps, 1),
                                make_uniform_spec("A", state, p.row_shape(), -1, -16.0, -0.5),
                                p.mixer("B", p.constant_b, p.dtype),
                                p.mixer("C", p.constant_c, p.dtype),
                                make_spec("D", state, {p.channels}, -1),
                                make_spec("z", p.dtype, steps, 1),
                                make_uniform_spec("delta_bias", state, {p.channels}, -1, -6.9, -2.25),
                                make_spec("h0", state, p.state_shape(), -1)};
  if (p.backward())
    for (TensorSpec& spec : selective_bwd_more_inputs(p)) specs.push_back(std::move(spec));
  return specs;
}

std::vector<TensorSpec> outputs(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_outputs(p);
  return {make_spec("out", p.dtype, {p.batch, p.seq, p.channels}, 1),
          make_spec("h_last", state_dtype(p.dtype), p.state_shape(), -1)};
}

/// Bytes: u, delta, z, B and C read and out written once, and the constants and states once. FLOPs: 6 a step
/// and state (d A; e h + x B; C h), of complex numbers 16. Exps: one a step and state (complex: three, with the sine and the
/// cosine), two for softplus (exp, log1p), two for silu (exp, quotient). Where a packed sequence begins there is no decay:
/// those exps and three FLOPs a state less (d A; e h +), complex ten. Wire: the N states per batch entry and channel, which a
/// rank must pass on for the next to begin; independent of L.
Cost cost(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_cost(p);
  const SelectiveSizes s(p);
  Cost cost;
  cost.flops = ((p.complex ? 16.0 : 6.0) * s.rows - (p.complex ? 10.0 : 3.0) * p.resets()) * s.channels * s.state;
  cost.bytes = 4.0 * s.steps_bytes + s.b_bytes + s.c_bytes + s.row_bytes + 2.0 * (s.state_bytes + s.channel_bytes);
  cost.exps = s.channels * (s.rows * (s.decay_exps + 4.0) - p.resets() * s.decay_exps);
  cost.wire_bytes = p.ranks > 1 ? s.state_bytes : 0.0;
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
/// half an eps of its own when it is stored; 1 leaves room. The states stay in the accumulator's type. Complex: a product errs by up to sqrt(5) times as
/// much (Brent, Percival & Zimmermann 2007), and the 2 eps in d turn a state by 2 eps |d Im A|, against a decay e^(d Re A): three times in all, where A turns
/// a state no faster than it lets it fade.
double tolerance(const Problem& problem, std::string_view output) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.backward()) return selective_bwd_tolerance(p, output);
  const DType stored = output == "h_last" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = p.complex ? 240.0 : 80.0, .storage = 1.0});
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
               {"constant_b", false, "B is (C, N): a row for each channel, the same at every step"},
               {"constant_c", false, "C is (C, N), likewise"},
               {"complex", false, "A, B, C and the states are complex, y = 2 Re(sum C h): one more axis of 2"},
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
