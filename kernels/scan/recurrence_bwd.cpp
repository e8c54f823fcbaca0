// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_bwd.hpp"

#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {

std::vector<TensorSpec> recurrence_bwd_inputs(const RecurrenceProblem& p) {
  const Shape steps = p.shape(p.seq), states = p.state_shape();
  const int axis = p.time_axis();
  return {p.decays(), make_spec("h", p.dtype, steps, axis),
          make_spec("dh", p.dtype, steps, axis), make_spec("h0", state_dtype(p.dtype), states, -1),
          make_spec("dh_last", state_dtype(p.dtype), states, -1)};
}

std::vector<TensorSpec> recurrence_bwd_outputs(const RecurrenceProblem& p) {
  const Shape steps = p.shape(p.seq);
  const int axis = p.time_axis();
  return {make_spec("da", p.dtype, steps, axis), make_spec("db", p.dtype, steps, axis),
          make_spec("dh0", state_dtype(p.dtype), p.state_shape(), -1)};
}

namespace {

/// N: double, or pairs of them.
template <class N>
Tensors reference(const RecurrenceProblem& p, const Tensors& inputs, std::span<const std::int64_t> rows) {
  const auto a = numbers<N, 3>(inputs["a"]), h = numbers<N, 3>(inputs["h"]);
  const auto dh = numbers<N, 3>(inputs["dh"]);
  const auto h0 = numbers<N, 2>(inputs["h0"]), dh_last = numbers<N, 2>(inputs["dh_last"]);
  const Shape shape = p.shape(static_cast<std::int64_t>(rows.size()));
  Tensors outputs;
  for (const char* name : {"da", "db"}) outputs.add(name, Tensor(DType::f64, shape));
  outputs.add("dh0", Tensor(DType::f64, p.state_shape()));
  const Segments segments = p.segments();
  const auto da = numbers<N, 3>(outputs["da"]), db = numbers<N, 3>(outputs["db"]);
  const auto dh0 = numbers<N, 2>(outputs["dh0"]);
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      N from_later = dh_last(i, c);  // a_{t+1} r_{t+1}
      std::size_t row = rows.size();
      for (std::int64_t t = p.seq - 1; t >= 0; --t) {
        const N r = sum(at_step(p, dh, i, t, c), from_later);
        const bool starts = segments.start_at(t);
        const N before = starts ? N{} : t > 0 ? at_step(p, h, i, t - 1, c) : h0(i, c);
        if (row > 0 && rows[row - 1] == t) {
          --row;
          const auto to = static_cast<std::int64_t>(row);
          at_step(p, db, i, to, c) = r;
          at_step(p, da, i, to, c) = product(r, conjugate(before));
        }
        from_later = starts ? N{} : product(conjugate(at_step(p, a, i, t, c)), r);
      }
      dh0(i, c) = from_later;
    }
  }
  return outputs;
}

}  // namespace

Tensors recurrence_bwd_reference(const RecurrenceProblem& p, const Tensors& inputs,
                                 std::span<const std::int64_t> rows) {
  return p.complex ? reference<ComplexOf<double>>(p, inputs, rows) : reference<double>(p, inputs, rows);
}

Cost recurrence_bwd_cost(const RecurrenceProblem& p) {
  const double states = static_cast<double>(p.batch * p.channels);
  const double steps = states * static_cast<double>(p.seq);
  const double size = static_cast<double>(p.parts() * size_of(p.dtype));
  const double state_size = static_cast<double>(p.parts() * size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = (p.complex ? 14.0 : 3.0) * (steps - p.resets() * static_cast<double>(p.channels));
  cost.bytes = 5.0 * size * steps + 3.0 * state_size * states;
  cost.wire_bytes = p.ranks > 1 ? (state_size + size) * states : 0.0;
  return cost;
}

double recurrence_bwd_tolerance(const RecurrenceProblem& p, std::string_view output) {
  const DType stored = output == "dh0" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = p.complex ? 288.0 : 96.0, .storage = 1.0});
}

}  // namespace bench::scan
