// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/recurrence_bwd.hpp"

#include "kernels/scan/scan.hpp"
#include "kernels/tolerance.hpp"

namespace bench::scan {

std::vector<TensorSpec> recurrence_bwd_inputs(const RecurrenceProblem& p) {
  const Shape steps = p.shape(p.seq), states{p.batch, p.channels};
  const int axis = p.time_axis();
  return {make_uniform_spec("a", p.dtype, steps, axis, 0.5, 1.0), make_spec("h", p.dtype, steps, axis),
          make_spec("dh", p.dtype, steps, axis), make_spec("h0", state_dtype(p.dtype), states, -1),
          make_spec("dh_last", state_dtype(p.dtype), states, -1)};
}

std::vector<TensorSpec> recurrence_bwd_outputs(const RecurrenceProblem& p) {
  const Shape steps = p.shape(p.seq);
  const int axis = p.time_axis();
  return {make_spec("da", p.dtype, steps, axis), make_spec("db", p.dtype, steps, axis),
          make_spec("dh0", state_dtype(p.dtype), {p.batch, p.channels}, -1)};
}

Tensors recurrence_bwd_reference(const RecurrenceProblem& p, const Tensors& inputs,
                                 std::span<const std::int64_t> rows) {
  const auto a = view<double, 3>(inputs["a"]), h = view<double, 3>(inputs["h"]);
  const auto dh = view<double, 3>(inputs["dh"]);
  const auto h0 = view<double, 2>(inputs["h0"]), dh_last = view<double, 2>(inputs["dh_last"]);
  const Shape shape = p.shape(static_cast<std::int64_t>(rows.size()));
  Tensors outputs;
  for (const char* name : {"da", "db"}) outputs.add(name, Tensor(DType::f64, shape));
  outputs.add("dh0", Tensor(DType::f64, {p.batch, p.channels}));
  const Segments segments = p.segments();
  const auto da = view<double, 3>(outputs["da"]), db = view<double, 3>(outputs["db"]);
  const auto dh0 = view<double, 2>(outputs["dh0"]);
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      double from_later = dh_last(i, c);  // a_{t+1} r_{t+1}
      std::size_t row = rows.size();
      for (std::int64_t t = p.seq - 1; t >= 0; --t) {
        const double r = at_step(p, dh, i, t, c) + from_later;
        const bool starts = segments.start_at(t);
        const double before = starts ? 0.0 : t > 0 ? at_step(p, h, i, t - 1, c) : h0(i, c);
        if (row > 0 && rows[row - 1] == t) {
          --row;
          const auto to = static_cast<std::int64_t>(row);
          at_step(p, db, i, to, c) = r;
          at_step(p, da, i, to, c) = r * before;
        }
        from_later = starts ? 0.0 : at_step(p, a, i, t, c) * r;
      }
      dh0(i, c) = from_later;
    }
  }
  return outputs;
}

Cost recurrence_bwd_cost(const RecurrenceProblem& p) {
  const double states = static_cast<double>(p.batch * p.channels);
  const double steps = states * static_cast<double>(p.seq);
  const double size = static_cast<double>(size_of(p.dtype));
  const double state_size = static_cast<double>(size_of(state_dtype(p.dtype)));
  Cost cost;
  cost.flops = 3.0 * (steps - p.resets() * static_cast<double>(p.channels));
  cost.bytes = 5.0 * size * steps + 3.0 * state_size * states;
  cost.wire_bytes = p.ranks > 1 ? (state_size + size) * states : 0.0;
  return cost;
}

double recurrence_bwd_tolerance(const RecurrenceProblem& p, std::string_view output) {
  const DType stored = output == "dh0" ? state_dtype(p.dtype) : p.dtype;
  return rounding_tolerance(stored, {.accumulation = 96.0, .storage = 1.0});
}

}  // namespace bench::scan
