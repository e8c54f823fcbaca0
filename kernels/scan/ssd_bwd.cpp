// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/ssd_bwd.hpp"

#include <cmath>
#include <vector>

#include "kernels/scan/selective_bwd.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {
namespace {

/// Where the oracle reads and writes. It takes one head at a time, and of it one row of states (one element
/// of the head) at a time: rows meet in w and u only.
struct Oracle {
  const SsdProblem& p;
  std::span<const std::int64_t> rows;
  Segments segments;
  View<const double, 4> x, z, dout, b, c, h0, dh_last;  // z if gated
  View<const double, 3> dt;
  View<double, 4> dx, dz, db, dc, dh0;
  View<double, 3> ddt;
  const double *a, *skip, *bias;
  double *da, *dskip, *dbias;
  std::vector<double> d, states, w, u;  // of one head: (L), (L + 1, N) of one of its rows, (L), (L)

  Oracle(const SsdProblem& problem, std::span<const std::int64_t> asked, const Tensors& in, Tensors& out)
      : p(problem), rows(asked), segments(problem.segments()) {
    x = view<double, 4>(in["x"]), dout = view<double, 4>(in["dout"]), dt = view<double, 3>(in["dt"]);
    b = view<double, 4>(in["B"]), c = view<double, 4>(in["C"]);
    h0 = view<double, 4>(in["h0"]), dh_last = view<double, 4>(in["dh_last"]);
    a = in["A"].as<double>(), skip = in["D"].as<double>(), bias = in["dt_bias"].as<double>();
    if (p.gated) z = view<double, 4>(in["z"]), dz = view<double, 4>(out["dz"]);
    dx = view<double, 4>(out["dx"]), ddt = view<double, 3>(out["ddt"]);
    db = view<double, 4>(out["dB"]), dc = view<double, 4>(out["dC"]), dh0 = view<double, 4>(out["dh0"]);
    da = out["dA"].as<double>(), dskip = out["dD"].as<double>(), dbias = out["ddt_bias"].as<double>();
    const auto steps = static_cast<std::size_t>(p.seq);
    d.resize(steps), w.resize(steps), u.resize(steps);
    states.resize((steps + 1) * static_cast<std::size_t>(p.state));
  }

  View<double, 2> state_rows() { return {states.data(), {p.seq + 1, p.state}}; }

  double decay_of(std::int64_t t, std::int64_t head) const {
    return segments.start_at(t) ? 0.0 : std::exp(d[static_cast<std::size_t>(t)] * a[head]);
  }

  /// Row t + 1 is the state after step t, row 0 is h0.
  void forward(std::int64_t entry, std::int64_t head, std::int64_t i) {
    const View<double, 2> h = state_rows();
    const std::int64_t g = head / p.group_heads();
    for (std::int64_t n = 0; n < p.state; ++n) h(0, n) = h0(entry, head, i, n);
    for (std::int64_t t = 0; t < p.seq; ++t) {
      const double dt_t = d[static_cast<std::size_t>(t)], decay = decay_of(t, head);
      for (std::int64_t n = 0; n < p.state; ++n)
        h(t + 1, n) = decay * h(t, n) + dt_t * x(entry, t, head, i) * b(entry, t, g, n);
    }
  }

  /// The gradient before the gate.
  double ungated(std::int64_t entry, std::int64_t t, std::int64_t head, std::int64_t i) const {
    return dout(entry, t, head, i) * (p.gated ? silu(z(entry, t, head, i)) : 1.0);
  }

  /// Step t of the row, after all later ones. `later` (N): e_{t+1} R_{t+1}, which becomes that of this step.
  /// `row`: where the outputs of this step go, or -1.
  void step_back(std::int64_t entry, std::int64_t t, std::int64_t head, std::int64_t i, double* later,
                 std::int64_t row) {
    const View<double, 2> h = state_rows();
    const std::int64_t g = head / p.group_heads();
    const auto at = static_cast<std::size_t>(t);
    const double decay = decay_of(t, head), gy = ungated(entry, t, head, i), xt = x(entry, t, head, i);
    double rb = 0.0, y = skip[head] * xt;
    for (std::int64_t n = 0; n < p.state; ++n) {
      const double r = gy * c(entry, t, g, n) + later[n];
      rb += r * b(entry, t, g, n);
      y += c(entry, t, g, n) * h(t + 1, n);
      u[at] += r * decay * h(t, n);
      if (row >= 0) dc(entry, row, g, n) += gy * h(t + 1, n);
      if (row >= 0) db(entry, row, g, n) += d[at] * r * xt;
      later[n] = decay * r;
    }
    w[at] += xt * rb;
    if (row >= 0) dx(entry, row, head, i) = skip[head] * gy + d[at] * rb;
    if (row >= 0 && p.gated) dz(entry, row, head, i) = dout(entry, t, head, i) * y * silu_slope(z(entry, t, head, i));
  }

  void reverse(std::int64_t entry, std::int64_t head, std::int64_t i) {
    double* later = &dh0(entry, head, i, 0);
    for (std::int64_t n = 0; n < p.state; ++n) later[n] = dh_last(entry, head, i, n);
    auto row = static_cast<std::int64_t>(rows.size());
    for (std::int64_t t = p.seq - 1; t >= 0; --t) {
      const bool asked = row > 0 && rows[static_cast<std::size_t>(row - 1)] == t;
      if (asked) --row;
      step_back(entry, t, head, i, later, asked ? row : -1);
    }
  }

  /// What the rows of a head make together. Plain fp64 sums over a million steps would be off by as much as a
  /// good fp64 kernel may be.
  void finish(std::int64_t entry, std::int64_t head) {
    long double sum_a = 0.0L, sum_skip = 0.0L, sum_bias = 0.0L;
    std::size_t row = 0;
    for (std::int64_t t = 0; t < p.seq; ++t) {
      const auto at = static_cast<std::size_t>(t);
      const double slope = p.limits.slope(dt(entry, t, head) + bias[head], d[at]);
      const double ddt_t = (w[at] + a[head] * u[at]) * slope;
      sum_a += d[at] * u[at];
      sum_bias += ddt_t;
      for (std::int64_t i = 0; i < p.head_dim; ++i)
        sum_skip += ungated(entry, t, head, i) * x(entry, t, head, i);
      if (row < rows.size() && rows[row] == t) ddt(entry, row++, head) = ddt_t;
    }
    da[head] += static_cast<double>(sum_a);
    dskip[head] += static_cast<double>(sum_skip);
    dbias[head] += static_cast<double>(sum_bias);
  }

  void take_head(std::int64_t entry, std::int64_t head) {
    for (std::int64_t t = 0; t < p.seq; ++t) {
      const auto at = static_cast<std::size_t>(t);
      d[at] = p.limits.step(dt(entry, t, head) + bias[head]);
      w[at] = u[at] = 0.0;
    }
    for (std::int64_t i = 0; i < p.head_dim; ++i) {
      forward(entry, head, i);
      reverse(entry, head, i);
    }
    finish(entry, head);
  }
};

}  // namespace

std::vector<TensorSpec> ssd_bwd_more_inputs(const SsdProblem& p) {
  return {make_spec("dout", p.dtype, {p.batch, p.seq, p.heads, p.head_dim}, 1),
          make_spec("dh_last", state_dtype(p.dtype), {p.batch, p.heads, p.head_dim, p.state}, -1)};
}

std::vector<TensorSpec> ssd_bwd_outputs(const SsdProblem& p) {
  const DType state = state_dtype(p.dtype);
  const Shape mixers{p.batch, p.seq, p.groups, p.state};
  std::vector<TensorSpec> specs{make_spec("dx", p.dtype, {p.batch, p.seq, p.heads, p.head_dim}, 1),
          make_spec("ddt", p.dtype, {p.batch, p.seq, p.heads}, 1),
          make_spec("dA", state, {p.heads}, -1),
          make_spec("dB", state, mixers, 1),
          make_spec("dC", state, mixers, 1),
          make_spec("dD", state, {p.heads}, -1),
          make_spec("ddt_bias", state, {p.heads}, -1),
          make_spec("dh0", state, {p.batch, p.heads, p.head_dim, p.state}, -1)};
  if (p.gated) specs.push_back(make_spec("dz", p.dtype, specs[0].shape, 1));
  return specs;
}

Tensors ssd_bwd_reference(const SsdProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows) {
  Tensors outputs;
  for (TensorSpec spec : ssd_bwd_outputs(p)) {
    if (spec.sequence_axis >= 0) spec.shape[1] = static_cast<std::int64_t>(rows.size());
    Tensor& tensor = outputs.add(spec.name, Tensor(DType::f64, spec.shape));
    for (std::int64_t j = 0; j < tensor.count(); ++j) tensor.set(j, 0.0);
  }
  Oracle oracle(p, rows, inputs, outputs);
  for (std::int64_t entry = 0; entry < p.batch; ++entry)
    for (std::int64_t head = 0; head < p.heads; ++head) oracle.take_head(entry, head);
  return outputs;
}

Cost ssd_bwd_cost(const SsdProblem& p) {
  const double rows = static_cast<double>(p.batch) * static_cast<double>(p.seq);
  const double heads = static_cast<double>(p.heads), head_dim = static_cast<double>(p.head_dim);
  const double mixers = static_cast<double>(p.groups) * static_cast<double>(p.state);
  const double entry_states = heads * static_cast<double>(p.head_states());
  const double states = static_cast<double>(p.batch) * entry_states;
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (10.0 * rows - 2.0 * p.resets()) * entry_states;
  cost.bytes = size * rows * (3.0 * heads * head_dim + 2.0 * heads + 2.0 * mixers) +
               state_size * (2.0 * rows * mixers + 6.0 * heads + 3.0 * states);
  cost.exps = (4.0 * rows - p.resets()) * heads;
  if (p.gated) {
    cost.flops += 2.0 * rows * entry_states;
    cost.bytes += 2.0 * size * rows * heads * head_dim;
    cost.exps += 2.0 * rows * heads * head_dim;
  }
  cost.wire_bytes = p.ranks > 1 ? state_size * (2.0 * states + 3.0 * heads) : 0.0;
  return cost;
}

double ssd_bwd_tolerance(const SsdProblem& p, std::string_view output) {
  const bool narrow = output == "dx" || output == "ddt" || output == "dz", sum_of_u = output == "dA" || output == "ddt_bias";
  return rounding_tolerance(narrow ? p.dtype : state_dtype(p.dtype),
                            {.accumulation = sum_of_u ? 1920.0 : 480.0, .storage = 1.0});
}

}  // namespace bench::scan
