// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_bwd.hpp"

#include <vector>

#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {
namespace {

/// A sum over the steps of a channel. Over a million of them, plain fp64 sums would be off by as much as a good fp64 kernel may be.
template <class N>
struct LongSum {
  long double re = 0.0L, im = 0.0L;
  void add(double x) { re += static_cast<long double>(x); }
  void add(ComplexOf<double> x) { re += static_cast<long double>(x.re), im += static_cast<long double>(x.im); }
  N value() const {
    if constexpr (kIsComplex<N>) return {static_cast<double>(re), static_cast<double>(im)};
    else return static_cast<double>(re);
  }
};

/// What the steps of one channel add to dA, dD and ddelta_bias, and to dB and dC where those are a channel's.
template <class N>
struct StepSums {
  std::vector<LongSum<N>> a, b, c;
  LongSum<double> skip, bias;
  explicit StepSums(std::int64_t states) : a(static_cast<std::size_t>(states)), b(a), c(a) {}
};

/// B or C and its gradient: (B, L, G, N), or (C, N).
template <class N>
struct Mixer {
  bool constant;
  View<const N, 4> steps;
  View<N, 4> steps_gradient;
  View<const N, 2> rows;
  View<N, 2> rows_gradient;

  Mixer(bool is_constant, const Tensor& in, Tensor& gradient) : constant(is_constant) {
    if (constant)
      rows = numbers<N, 2>(in), rows_gradient = numbers<N, 2>(gradient);
    else
      steps = numbers<N, 4>(in), steps_gradient = numbers<N, 4>(gradient);
  }
  N at(std::int64_t i, std::int64_t t, std::int64_t g, std::int64_t k, std::int64_t n) const { return constant ? rows(k, n) : steps(i, t, g, n); }
  /// Of one step: to its row, if that was asked for, or to the channel's sum.
  void add(std::int64_t i, std::int64_t row, std::int64_t g, std::int64_t n, std::vector<LongSum<N>>& sums, N x) const {
    if (constant) return sums[static_cast<std::size_t>(n)].add(x);
    if (row >= 0) steps_gradient(i, row, g, n) = sum(steps_gradient(i, row, g, n), x);
  }
  void add_sums(std::int64_t k, const std::vector<LongSum<N>>& sums) const {
    for (std::size_t n = 0; constant && n < sums.size(); ++n) rows_gradient(k, n) = sum(rows_gradient(k, n), sums[n].value());
  }
};

/// Where the oracle reads and writes. N: double, or pairs of them.
template <class N>
struct Oracle {
  const SelectiveProblem& p;
  std::span<const std::int64_t> rows;
  Segments segments;
  View<const double, 3> u, delta, z, dout;
  View<const N, 3> h0, dh_last;
  Mixer<N> b, c;
  View<const N, 2> a;
  View<double, 3> du, ddelta, dz;
  View<N, 3> dh0;
  View<N, 2> da;
  double *dskip, *dbias;
  const double *skip, *bias;

  Oracle(const SelectiveProblem& problem, std::span<const std::int64_t> asked, const Tensors& in,
         Tensors& out)
      : p(problem), rows(asked), segments(problem.segments()), b(p.constant_b, in["B"], out["dB"]), c(p.constant_c, in["C"], out["dC"]) {
    u = view<double, 3>(in["u"]), delta = view<double, 3>(in["delta"]), z = view<double, 3>(in["z"]);
    dout = view<double, 3>(in["dout"]);
    h0 = numbers<N, 3>(in["h0"]), dh_last = numbers<N, 3>(in["dh_last"]);
    a = numbers<N, 2>(in["A"]);
    skip = in["D"].as<double>(), bias = in["delta_bias"].as<double>();
    du = view<double, 3>(out["du"]), ddelta = view<double, 3>(out["ddelta"]), dz = view<double, 3>(out["dz"]);
    dh0 = numbers<N, 3>(out["dh0"]);
    da = numbers<N, 2>(out["dA"]);
    dskip = out["dD"].as<double>(), dbias = out["ddelta_bias"].as<double>();
  }

  N decay_at(double d, std::int64_t t, std::int64_t k, std::int64_t n) const {
    return segments.start_at(t) ? N{} : decay_of(d, a(k, n));
  }

  /// The states of one channel: row t + 1 of `h` (L + 1, N) is the state after step t, row 0 is h0.
  void forward(std::int64_t i, std::int64_t k, View<N, 2> h) const {
    const std::int64_t g = k / p.group_channels();
    for (std::int64_t n = 0; n < p.state; ++n) h(0, n) = h0(i, k, n);
    for (std::int64_t t = 0; t < p.seq; ++t) {
      const double d = softplus(delta(i, t, k) + bias[k]);
      for (std::int64_t n = 0; n < p.state; ++n)
        h(t + 1, n) = sum(product(decay_at(d, t, k, n), h(t, n)), scaled(d * u(i, t, k), b.at(i, t, g, k, n)));
    }
  }

  void add(std::int64_t k, const StepSums<N>& sums) const {
    for (std::int64_t n = 0; n < p.state; ++n) da(k, n) = sum(da(k, n), sums.a[static_cast<std::size_t>(n)].value());
    b.add_sums(k, sums.b);
    c.add_sums(k, sums.c);
    dskip[k] += sums.skip.value();
    dbias[k] += sums.bias.value();
  }

  /// One step back of one channel. `later` (N): exp(d_{t+1} A) r_{t+1}, which becomes that of this step.
  /// `row`: where the outputs of this step go, or -1.
  void step_back(std::int64_t i, std::int64_t t, std::int64_t k, View<N, 2> h, N* later,
                 std::int64_t row, StepSums<N>& sums) const {
    const std::int64_t g = k / p.group_channels();
    const double v = delta(i, t, k) + bias[k], d = softplus(v), ut = u(i, t, k), zt = z(i, t, k);
    const double gy = dout(i, t, k) * silu(zt);
    double y = skip[k] * ut, sum_rb = 0.0, sum_rac = 0.0;
    for (std::int64_t n = 0; n < p.state; ++n) {
      const N decay = decay_at(d, t, k, n), held = product(decay, h(t, n)), bt = b.at(i, t, g, k, n), ct = c.at(i, t, g, k, n);
      const N r = sum(mixed_back(gy, ct), later[n]);
      y += mixed_out(ct, h(t + 1, n));
      sum_rb += inner(r, bt);
      sum_rac += inner(r, product(a(k, n), held));
      sums.a[static_cast<std::size_t>(n)].add(scaled(d, product(r, conjugate(held))));
      c.add(i, row, g, n, sums.c, mixed_back(gy, h(t + 1, n)));
      b.add(i, row, g, n, sums.b, scaled(d * ut, r));
      later[n] = product(conjugate(decay), r);
    }
    const double ddelta_t = (ut * sum_rb + sum_rac) * softplus_slope(v);
    sums.skip.add(gy * ut);
    sums.bias.add(ddelta_t);
    if (row < 0) return;
    du(i, row, k) = skip[k] * gy + d * sum_rb;
    ddelta(i, row, k) = ddelta_t;
    dz(i, row, k) = dout(i, t, k) * y * silu_slope(zt);
  }

  /// One channel of one entry. `h`: room for forward().
  void run(std::int64_t i, std::int64_t k, View<N, 2> h) const {
    forward(i, k, h);
    N* later = &dh0(i, k, 0);
    for (std::int64_t n = 0; n < p.state; ++n) later[n] = dh_last(i, k, n);
    StepSums<N> sums(p.state);
    auto row = static_cast<std::int64_t>(rows.size());
    for (std::int64_t t = p.seq - 1; t >= 0; --t) {
      const bool asked = row > 0 && rows[static_cast<std::size_t>(row - 1)] == t;
      if (asked) --row;
      step_back(i, t, k, h, later, asked ? row : -1, sums);
    }
    add(k, sums);
  }
};

template <class N>
void reference(const SelectiveProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows, Tensors& outputs) {
  const Oracle<N> oracle(p, rows, inputs, outputs);
  std::vector<N> states(static_cast<std::size_t>((p.seq + 1) * p.state));
  const View<N, 2> h{states.data(), {p.seq + 1, p.state}};
  for (std::int64_t i = 0; i < p.batch; ++i)
    for (std::int64_t k = 0; k < p.channels; ++k) oracle.run(i, k, h);
}

}  // namespace

std::vector<TensorSpec> selective_bwd_more_inputs(const SelectiveProblem& p) {
  return {make_spec("dout", p.dtype, {p.batch, p.seq, p.channels}, 1),
          make_spec("dh_last", state_dtype(p.dtype), p.state_shape(), -1)};
}

std::vector<TensorSpec> selective_bwd_outputs(const SelectiveProblem& p) {
  const DType state = state_dtype(p.dtype);
  const Shape steps{p.batch, p.seq, p.channels};
  return {make_spec("du", p.dtype, steps, 1),
          make_spec("ddelta", p.dtype, steps, 1),
          make_spec("dA", state, p.row_shape(), -1),
          p.mixer("dB", p.constant_b, state),
          p.mixer("dC", p.constant_c, state),
          make_spec("dD", state, {p.channels}, -1),
          make_spec("dz", p.dtype, steps, 1),
          make_spec("ddelta_bias", state, {p.channels}, -1),
          make_spec("dh0", state, p.state_shape(), -1)};
}

Tensors selective_bwd_reference(const SelectiveProblem& p, const Tensors& inputs,
                                std::span<const std::int64_t> rows) {
  Tensors outputs;
  for (TensorSpec spec : selective_bwd_outputs(p)) {
    if (spec.sequence_axis >= 0) spec.shape[1] = static_cast<std::int64_t>(rows.size());
    Tensor& tensor = outputs.add(spec.name, Tensor(DType::f64, spec.shape));
    for (std::int64_t j = 0; j < tensor.count(); ++j) tensor.set(j, 0.0);
  }
  p.complex ? reference<ComplexOf<double>>(p, inputs, rows, outputs) : reference<double>(p, inputs, rows, outputs);
  return outputs;
}

SelectiveSizes::SelectiveSizes(const SelectiveProblem& p) {
  channels = static_cast<double>(p.channels), state = static_cast<double>(p.state);
  rows = static_cast<double>(p.batch * p.seq);
  decay_exps = state * (p.complex ? 3.0 : 1.0);
  const auto bytes_of = [](const TensorSpec& spec) { return static_cast<double>(element_count(spec.shape) * size_of(spec.dtype)); };
  const DType held = state_dtype(p.dtype);
  steps_bytes = rows * channels * static_cast<double>(size_of(p.dtype));
  channel_bytes = channels * static_cast<double>(size_of(held));
  row_bytes = channel_bytes * state * static_cast<double>(p.parts());
  state_bytes = row_bytes * static_cast<double>(p.batch);
  b_bytes = bytes_of(p.mixer("B", p.constant_b, p.dtype)), db_bytes = bytes_of(p.mixer("dB", p.constant_b, held));
  c_bytes = bytes_of(p.mixer("C", p.constant_c, p.dtype)), dc_bytes = bytes_of(p.mixer("dC", p.constant_c, held));
}

Cost selective_bwd_cost(const SelectiveProblem& p) {
  const SelectiveSizes s(p);
  const double constants = (p.constant_b ? 1.0 : 0.0) + (p.constant_c ? 1.0 : 0.0);
  Cost cost;
  cost.flops = ((p.complex ? 52.0 : 20.0) * s.rows - (p.complex ? 32.0 : 10.0) * p.resets()) * s.channels * s.state;
  cost.bytes = 7.0 * s.steps_bytes + s.b_bytes + s.c_bytes + s.db_bytes + s.dc_bytes + 2.0 * s.row_bytes + 4.0 * s.channel_bytes + 3.0 * s.state_bytes;
  cost.exps = s.channels * (s.rows * (s.decay_exps + 5.0) - p.resets() * s.decay_exps);
  cost.wire_bytes = p.ranks > 1 ? 2.0 * s.state_bytes + (1.0 + constants) * s.row_bytes + 2.0 * s.channel_bytes : 0.0;
  return cost;
}

double selective_bwd_tolerance(const SelectiveProblem& p, std::string_view output) {
  const bool narrow = output == "du" || output == "ddelta" || output == "dz";
  return rounding_tolerance(narrow ? p.dtype : state_dtype(p.dtype), {.accumulation = p.complex ? 720.0 : 240.0, .storage = 1.0});
}

}  // namespace bench::scan
