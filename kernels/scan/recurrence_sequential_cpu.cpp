// SPDX-License-Identifier: Apache-2.0
// recurrence_sequential_cpu: h_t = a_t * h_{t-1} + b_t, as the formula has it. The baseline of this op.
//
// Shapes: a, b, h (B, L, C) or (B, C, L); h0, h_last (B, C). See recurrence.hpp.
//
// Algorithm: one row of C channels at a time; h_last holds the running state, so that 16-bit outputs round
// once and not in every step. The inner loop has independent lanes, which the compiler vectorises for the
// build's instruction set. With time last, or complex, one channel at a time, in scalars. One thread.
//
// Work and bytes: 2 B L C FLOPs; reads a and b once, writes h once (a write into cache also reads the line: 4
// streams, not 3).
//
// Error against fp64: half an eps of the state's type a step, fading with the decays; a few eps in all.
//
// Right choice: as the yardstick, and for small C. Wrong: for speed; recurrence_chunked_cpu uses threads and
// writes past the caches.
#include <algorithm>
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

template <class T>
void scan(const Segments& segments, const Tensors& in, Tensors& out) {
  using State = StateOf<T>;
  const auto a = view<T, 3>(in["a"]);
  const auto b = view<T, 3>(in["b"]);
  const auto h0 = view<State, 2>(in["h0"]);
  const auto h = view<T, 3>(out["h"]);
  const auto h_last = view<State, 2>(out["h_last"]);
  const auto [batch, seq, channels] = a.extent;
  for (std::int64_t i = 0; i < batch; ++i) {
    State* state = &h_last(i, 0);
    for (std::int64_t c = 0; c < channels; ++c) state[c] = h0(i, c);
    std::int64_t start = segments.first_start({0, seq});
    for (std::int64_t t = 0; t < seq; ++t) {
      if (t == start) {
        std::fill_n(state, channels, State{0});
        start = segments.first_start({t + 1, seq});
      }
      const T* a_row = &a(i, t, 0);
      const T* b_row = &b(i, t, 0);
      T* h_row = &h(i, t, 0);
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) {
        const State next = load(a_row[c]) * state[c] + load(b_row[c]);
        state[c] = next;
        h_row[c] = store<T>(next);
      }
    }
  }
}

/// (B, C, L): one channel at a time, each step waits for the one before.
template <class T>
void scan_time_last(const Segments& segments, const Tensors& in, Tensors& out) {
  using State = StateOf<T>;
  const auto a = view<T, 3>(in["a"]), b = view<T, 3>(in["b"]);
  const auto h = view<T, 3>(out["h"]);
  const auto h0 = view<State, 2>(in["h0"]);
  const auto h_last = view<State, 2>(out["h_last"]);
  const auto [batch, channels, seq] = a.extent;
  for (std::int64_t i = 0; i < batch; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      State state = h0(i, c);
      for (Range steps{}; steps.end < seq;) {
        steps = segments.piece_at(steps.end, seq, seq);
        if (steps.begin > 0) state = State{0};
        for (std::int64_t t = steps.begin; t < steps.end; ++t) {
          state = load(a(i, c, t)) * state + load(b(i, c, t));
          h(i, c, t) = store<T>(state);
        }
      }
      h_last(i, c) = state;
    }
  }
}

/// Complex, in either layout: one channel at a time.
template <class T>
void scan_complex(const RecurrenceProblem& p, const Tensors& in, Tensors& out) {
  using State = ComplexOf<StateOf<T>>;
  const auto a = numbers<ComplexOf<T>, 3>(in["a"]), b = numbers<ComplexOf<T>, 3>(in["b"]);
  const auto h = numbers<ComplexOf<T>, 3>(out["h"]);
  const auto h0 = numbers<State, 2>(in["h0"]);
  const auto h_last = numbers<State, 2>(out["h_last"]);
  const Segments segments = p.segments();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      State state = h0(i, c);
      for (Range steps{}; steps.end < p.seq;) {
        steps = segments.piece_at(steps.end, p.seq, p.seq);
        if (steps.begin > 0) state = State{};
        for (std::int64_t t = steps.begin; t < steps.end; ++t) {
          state = sum(product(loaded(at_step(p, a, i, t, c)), state), loaded(at_step(p, b, i, t, c)));
          at_step(p, h, i, t, c) = stored<T>(state);
        }
      }
      h_last(i, c) = state;
    }
  }
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<RecurrenceProblem>(problem);
  dispatch(p.dtype, [&]<class T>() {
    if (p.complex) return scan_complex<T>(p, tensors, tensors);
    p.time_last ? scan_time_last<T>(p.segments(), tensors, tensors) : scan<T>(p.segments(), tensors, tensors);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/recurrence_sequential_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "row at a time, one thread; the baseline",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
