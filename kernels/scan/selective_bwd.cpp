// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_bwd.hpp"

#include <vector>

#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {
namespace {

/// What the steps of one channel add to dA, dD and ddelta_bias. Over a million steps, plain fp64 sums would
/// be off by as much as a good fp64 kernel may be.
struct StepSums {
  std::vector<long double> a;
  long double skip = 0.0L, bias = 0.0L;
};

/// Where the oracle reads and writes.
struct Oracle {
  const SelectiveProblem& p;
  std::span<const std::int64_t> rows;
  Segments segments;
  View<const double, 3> u, delta, z, dout, h0, dh_last;
  View<const double, 4> b, c;
  View<const double, 2> a;
  View<double, 3> du, ddelta, dz, dh0;
  View<double, 4> db, dc;
  View<double, 2> da;
  double *dskip, *dbias;
  const double *skip, *bias;

  Oracle(const SelectiveProblem& problem, std::span<const std::int64_t> asked, const Tensors& in,
         Tensors& out)
      : p(problem), rows(asked), segments(problem.segments()) {
    u = view<double, 3>(in["u"]), delta = view<double, 3>(in["delta"]), z = view<double, 3>(in["z"]);
    dout = view<double, 3>(in["dout"]);
    h0 = view<double, 3>(in["h0"]), dh_last = view<double, 3>(in["dh_last"]);
    b = view<double, 4>(in["B"]), c = view<double, 4>(in["C"]), a = view<double, 2>(in["A"]);
    skip = in["D"].as<double>(), bias = in["delta_bias"].as<double>();
    du = view<double, 3>(out["du"]), ddelta = view<double, 3>(out["ddelta"]), dz = view<double, 3>(out["dz"]);
    dh0 = view<double, 3>(out["dh0"]);
    db = view<double, 4>(out["dB"]), dc = view<double, 4>(out["dC"]), da = view<double, 2>(out["dA"]);
    dskip = out["dD"].as<double>(), dbias = out["ddelta_bias"].as<double>();
  }

  double decay_of(double d, std::int64_t t, std::int64_t k, std::int64_t n) const {
    return segments.start_at(t) ? 0.0 : std::exp(d * a(k, n));
  }

  /// The states of one channel: row t + 1 of `h` (L + 1, N) is the state after step t, row 0 is h0.
  void forward(std::int64_t i, std::int64_t k, View<double, 2> h) const {
    const std::int64_t g = k / p.group_channels();
    for (std::int64_t n = 0; n < p.state; ++n) h(0, n) = h0(i, k, n);
    for (std::int64_t t = 0; t < p.seq; ++t) {
      const double d = softplus(delta(i, t, k) + bias[k]);
      for (std::int64_t n = 0; n < p.state; ++n)
        h(t + 1, n) = decay_of(d, t, k, n) * h(t, n) + d * u(i, t, k) * b(i, t, g, n);
    }
  }

  void add(std::int64_t k, const StepSums& sums) const {
    for (std::int64_t n = 0; n < p.state; ++n)
      da(k, n) += static_cast<double>(sums.a[static_cast<std::size_t>(n)]);
    dskip[k] += static_cast<double>(sums.skip);
    dbias[k] += static_cast<double>(sums.bias);
  }

  /// One step back of one channel. `later` (N): exp(d_{t+1} A) r_{t+1}, which becomes that of this step.
  /// `row`: where the outputs of this step go, or -1.
  void step_back(std::int64_t i, std::int64_t t, std::int64_t k, View<double, 2> h, double* later,
                 std::int64_t row, StepSums& sums) const {
    const std::int64_t g = k / p.group_channels();
    const double v = delta(i, t, k) + bias[k], d = softplus(v), ut = u(i, t, k), zt = z(i, t, k);
    const double gy = dout(i, t, k) * silu(zt);
    double y = skip[k] * ut, sum_rb = 0.0, sum_rac = 0.0;
    for (std::int64_t n = 0; n < p.state; ++n) {
      const double decay = decay_of(d, t, k, n), r = gy * c(i, t, g, n) + later[n];
      y += c(i, t, g, n) * h(t + 1, n);
      sum_rb += r * b(i, t, g, n);
      sum_rac += r * a(k, n) * decay * h(t, n);
      sums.a[static_cast<std::size_t>(n)] += r * d * decay * h(t, n);
      if (row >= 0) dc(i, row, g, n) += gy * h(t + 1, n);
      if (row >= 0) db(i, row, g, n) += r * d * ut;
      later[n] = decay * r;
    }
    const double ddelta_t = (ut * sum_rb + sum_rac) * softplus_slope(v);
    sums.skip += gy * ut;
    sums.bias += ddelta_t;
    if (row < 0) return;
    du(i, row, k) = skip[k] * gy + d * sum_rb;
    ddelta(i, row, k) = ddelta_t;
    dz(i, row, k) = dout(i, t, k) * y * silu_slope(zt);
  }
};

}  // namespace

std::vector<TensorSpec> selective_bwd_more_inputs(const SelectiveProblem& p) {
  return {make_spec("dout", p.dtype, {p.batch, p.seq, p.channels}, 1),
          make_spec("dh_last", state_dtype(p.dtype), {p.batch, p.channels, p.state}, -1)};
}

std::vector<TensorSpec> selective_bwd_outputs(const SelectiveProblem& p) {
  const DType state = state_dtype(p.dtype);
  const Shape steps{p.batch, p.seq, p.channels}, mixers{p.batch, p.seq, p.groups, p.state};
  return {make_spec("du", p.dtype, steps, 1),
          make_spec("ddelta", p.dtype, steps, 1),
          make_spec("dA", state, {p.channels, p.state}, -1),
          make_spec("dB", state, mixers, 1),
          make_spec("dC", state, mixers, 1),
          make_spec("dD", state, {p.channels}, -1),
          make_spec("dz", p.dtype, steps, 1),
          make_spec("ddelta_bias", state, {p.channels}, -1),
          make_spec("dh0", state, {p.batch, p.channels, p.state}, -1)};
}

Tensors selective_bwd_reference(const SelectiveProblem& p, const Tensors& inputs,
                                std::span<const std::int64_t> rows) {
  Tensors outputs;
  for (TensorSpec spec : selective_bwd_outputs(p)) {
    if (spec.sequence_axis >= 0) spec.shape[1] = static_cast<std::int64_t>(rows.size());
    Tensor& tensor = outputs.add(spec.name, Tensor(DType::f64, spec.shape));
    for (std::int64_t j = 0; j < tensor.count(); ++j) tensor.set(j, 0.0);
  }
  const Oracle oracle(p, rows, inputs, outputs);
  std::vector<double> states(static_cast<std::size_t>((p.seq + 1) * p.state));
  const View<double, 2> h{states.data(), {p.seq + 1, p.state}};
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t k = 0; k < p.channels; ++k) {
      oracle.forward(i, k, h);
      double* later = &oracle.dh0(i, k, 0);
      for (std::int64_t n = 0; n < p.state; ++n) later[n] = oracle.dh_last(i, k, n);
      StepSums sums{std::vector<long double>(static_cast<std::size_t>(p.state))};
      auto row = static_cast<std::int64_t>(rows.size());
      for (std::int64_t t = p.seq - 1; t >= 0; --t) {
        const bool asked = row > 0 && rows[static_cast<std::size_t>(row - 1)] == t;
        if (asked) --row;
        oracle.step_back(i, t, k, h, later, asked ? row : -1, sums);
      }
      oracle.add(k, sums);
    }
  }
  return outputs;
}

Cost selective_bwd_cost(const SelectiveProblem& p) {
  const double batch = static_cast<double>(p.batch), channels = static_cast<double>(p.channels);
  const double state = static_cast<double>(p.state), groups = static_cast<double>(p.groups);
  const double rows = batch * static_cast<double>(p.seq);
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (20.0 * rows - 10.0 * p.resets()) * channels * state;
  cost.bytes =
      size * rows * (7.0 * channels + 2.0 * groups * state) +
      state_size * (2.0 * rows * groups * state + channels * (2.0 * state + 4.0 + 3.0 * batch * state));
  cost.exps = channels * (rows * (state + 5.0) - p.resets() * state);
  cost.wire_bytes = p.ranks > 1 ? state_size * channels * (2.0 * batch * state + state + 2.0) : 0.0;
  return cost;
}

double selective_bwd_tolerance(const SelectiveProblem& p, std::string_view output) {
  const bool narrow = output == "du" || output == "ddelta" || output == "dz";
  return rounding_tolerance(narrow ? p.dtype : state_dtype(p.dtype), {.accumulation = 240.0, .storage = 1.0});
}

}  // namespace bench::scan
