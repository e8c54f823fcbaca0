// SPDX-License-Identifier: Apache-2.0
// recurrence_lines_bwd_cpu: the backward pass of h_t = a_t * h_{t-1} + b_t with time last, 16 steps of a line at a time
// in one register: r_t = dh_t + a_{t+1} r_{t+1}, db_t = r_t, da_t = r_t h_{t-1}.
//
// Shapes: a, h, dh, da, db (B, C, L); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp, time_axis = last; h is the saved
// forward result.
//
// Algorithm: as recurrence_lines_cpu, from a line's last step to its first: recurrence_lines.hpp. da and db are written
// past the caches where they are large and their lines start on whole vectors.
//
// Work and bytes: some 14 FLOPs a step with vectors of 16; the least traffic, 5 B L C elements.
//
// Error against fp64: products of up to 16 decays, and sums in tree order; a few eps, as sequential.
//
// Right choice: whenever time is the last axis and B C lines suffice for the threads. One long line alone uses one
// thread.
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/recurrence_lines.hpp"
#include "kernels/scan/recurrence_lines_run.hpp"
#include "kernels/scan/recurrence_rows.hpp"

namespace bench::scan {
namespace {

template <class T>
struct Lines {
  const T *a, *h, *dh;
  T *da, *db;
  const float *h0, *dh_last;
  float* dh0;
  std::int64_t steps;
  Starts starts;
  bool streams;

  template <class V>
  BS_INLINE void run(Range lines) const {
    const bool stream = streams && rows_on_vectors<V>(da, steps, steps) && rows_on_vectors<V>(db, steps, steps);
    for (std::int64_t i = lines.begin; i < lines.end; ++i) {
      const std::int64_t at = i * steps;
      const BackLine<T> line{a + at, h + at, dh + at, da + at, db + at, h0[i], starts, stream};
      dh0[i] = line.template run<V>(steps, dh_last[i]);
    }
    if (stream) end_streams();
  }
};

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const bool streams = streams_pay(p.dtype, p.batch * p.channels, p.seq);
  dispatch(p.dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, double>)
      run_lines(p, Lines<T>{tensors["a"].as<T>(), tensors["h"].as<T>(), tensors["dh"].as<T>(), tensors["da"].as<T>(),
                       tensors["db"].as<T>(), tensors["h0"].as<float>(), tensors["dh_last"].as<float>(),
                       tensors["dh0"].as<float>(), p.seq, p.starts, streams});
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lines_bwd_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, time last: 16 steps at a time by a scan within a register, threads over lines",
    .example = {{"time_axis", std::string("last")}},
    .supports = needs_time_last,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
