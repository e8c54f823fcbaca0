// SPDX-License-Identifier: Apache-2.0
// recurrence_lines_cpu: h_t = a_t * h_{t-1} + b_t with time last, 16 steps of a line at a time in one register.
//
// Shapes: a, b, h (B, C, L); h0, h_last (B, C). See recurrence.hpp, time_axis = last.
//
// Algorithm: per line of L steps a scan within a vector in four steps of doubling distance, and a state that goes from
// vector to vector: recurrence_lines.hpp. Threads share out the B C lines. h is written past the caches where it is
// large and its lines start on whole vectors.
//
// Work and bytes: 2 (1 + log2 16) FLOPs a step, most of them shuffles' companions, on which nothing waits; the least
// traffic, 3 B L C elements.
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
  const T *a, *b;
  T* h;
  const float* h0;
  float* h_last;
  std::int64_t steps;
  Starts starts;
  bool streams;

  template <class V>
  BS_INLINE void run(Range lines) const {
    const bool stream = streams && rows_on_vectors<V>(h, steps, steps);
    for (std::int64_t i = lines.begin; i < lines.end; ++i) {
      const Line<T> line{a + i * steps, b + i * steps, h + i * steps, starts, stream};
      h_last[i] = line.template run<V>(steps, h0[i]);
    }
    if (stream) end_streams();
  }
};

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  const bool streams = streams_pay(p.dtype, p.batch * p.channels, p.seq);
  dispatch(p.dtype, [&]<class T>() {
    if constexpr (!std::is_same_v<T, double>)
      run_lines(p, Lines<T>{tensors["a"].as<T>(), tensors["b"].as<T>(), tensors["h"].as<T>(),
                       tensors["h0"].as<float>(), tensors["h_last"].as<float>(), p.seq, p.starts, streams});
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_lines_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "time last: 16 steps at a time by a scan within a register, threads over lines",
    .example = {{"time_axis", std::string("last")}},
    .supports = needs_time_last,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
