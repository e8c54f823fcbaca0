// SPDX-License-Identifier: Apache-2.0
// recurrence_sequential_bwd_cpu: the backward pass of h_t = a_t * h_{t-1} + b_t, as the formulas have it:
// from the last step to the first r_t = dh_t + a_{t+1} r_{t+1}, db_t = r_t, da_t = r_t h_{t-1}. The baseline
// of this pass.
//
// Shapes: a, h, dh, da, db (B, L, C) or (B, C, L); h0, dh_last, dh0 (B, C). See recurrence_bwd.hpp; h is the saved forward
// result.
//
// Algorithm: one row of C channels at a time; dh0 holds the running a_{t+1} r_{t+1}, so that 16-bit outputs
// round once and not in every step. The inner loop has independent lanes, which the compiler vectorises for
// the build's instruction set. With time last, or complex, one channel at a time, in scalars. One thread.
//
// Work and bytes: 3 B L C FLOPs; reads a, h and dh once, writes da and db once (a write into cache also reads
// the line: 7 streams, not 5).
//
// Error against fp64: half an eps of the state's type a step, fading with the decays; a few eps in all.
//
// Right choice: as the yardstick, and for small C. Wrong: for speed; see recurrence_chunked_bwd_cpu.
#include <algorithm>
#include <cstdint>

#include "kernels/kernel.hpp"
#include "kernels/scan/recurrence.hpp"
#include "kernels/scan/scan.hpp"

namespace bench::scan {
namespace {

/// One row of one batch entry; H is the type of `h`, the states before this step.
template <class T, class H>
void step(const T* a, const T* dh, const H* h, T* da, T* db, StateOf<T>* from_later, std::int64_t channels) {
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    const StateOf<T> r = load(dh[c]) + from_later[c];
    db[c] = store<T>(r);
    da[c] = store<T>(r * load(h[c]));
    from_later[c] = load(a[c]) * r;
  }
}

template <class T>
void scan(const Segments& segments, const Tensors& in, Tensors& out) {
  using State = StateOf<T>;
  const auto a = view<T, 3>(in["a"]), h = view<T, 3>(in["h"]), dh = view<T, 3>(in["dh"]);
  const auto h0 = view<State, 2>(in["h0"]), dh_last = view<State, 2>(in["dh_last"]);
  const auto da = view<T, 3>(out["da"]), db = view<T, 3>(out["db"]);
  const auto dh0 = view<State, 2>(out["dh0"]);
  const auto [batch, seq, channels] = a.extent;
  for (std::int64_t i = 0; i < batch; ++i) {
    State* from_later = &dh0(i, 0);
    for (std::int64_t c = 0; c < channels; ++c) from_later[c] = dh_last(i, c);
    for (std::int64_t t = seq - 1; t > 0; --t) {
      step(&a(i, t, 0), &dh(i, t, 0), &h(i, t - 1, 0), &da(i, t, 0), &db(i, t, 0), from_later, channels);
      if (!segments.start_at(t)) continue;
      std::fill_n(&da(i, t, 0), channels, T{});
      std::fill_n(from_later, channels, State{0});
    }
    step(&a(i, 0, 0), &dh(i, 0, 0), &h0(i, 0), &da(i, 0, 0), &db(i, 0, 0), from_later, channels);
  }
}

/// (B, C, L): one channel at a time, each step waits for the one behind it.
template <class T>
void scan_time_last(const Segments& segments, const Tensors& in, Tensors& out) {
  using State = StateOf<T>;
  const auto a = view<T, 3>(in["a"]), h = view<T, 3>(in["h"]), dh = view<T, 3>(in["dh"]);
  const auto h0 = view<State, 2>(in["h0"]), dh_last = view<State, 2>(in["dh_last"]);
  const auto da = view<T, 3>(out["da"]), db = view<T, 3>(out["db"]);
  const auto dh0 = view<State, 2>(out["dh0"]);
  const auto [batch, channels, seq] = a.extent;
  for (std::int64_t i = 0; i < batch; ++i) {
    for (std::int64_t c = 0; c < channels; ++c) {
      State from_later = dh_last(i, c);
      for (Range steps{seq, seq}; steps.begin > 0;) {
        steps = segments.piece_before(steps.begin, seq);
        const State first = steps.begin > 0 ? State{0} : h0(i, c);
        for (std::int64_t t = steps.end - 1; t >= steps.begin; --t) {
          const State r = load(dh(i, c, t)) + from_later;
          db(i, c, t) = store<T>(r);
          da(i, c, t) = store<T>(r * (t > steps.begin ? load(h(i, c, t - 1)) : first));
          from_later = load(a(i, c, t)) * r;
        }
        if (steps.begin > 0) from_later = State{0};
      }
      dh0(i, c) = from_later;
    }
  }
}

/// Complex, in either layout: one channel at a time.
template <class T>
void scan_complex(const RecurrenceProblem& p, const Tensors& in, Tensors& out) {
  using State = ComplexOf<StateOf<T>>;
  const auto a = numbers<ComplexOf<T>, 3>(in["a"]), h = numbers<ComplexOf<T>, 3>(in["h"]), dh = numbers<ComplexOf<T>, 3>(in["dh"]);
  const auto h0 = numbers<State, 2>(in["h0"]), dh_last = numbers<State, 2>(in["dh_last"]);
  const auto da = numbers<ComplexOf<T>, 3>(out["da"]), db = numbers<ComplexOf<T>, 3>(out["db"]);
  const auto dh0 = numbers<State, 2>(out["dh0"]);
  const Segments segments = p.segments();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t c = 0; c < p.channels; ++c) {
      State from_later = dh_last(i, c);
      for (Range steps{p.seq, p.seq}; steps.begin > 0;) {
        steps = segments.piece_before(steps.begin, p.seq);
        const State first = steps.begin > 0 ? State{} : h0(i, c);
        for (std::int64_t t = steps.end - 1; t >= steps.begin; --t) {
          const State r = sum(loaded(at_step(p, dh, i, t, c)), from_later);
          at_step(p, db, i, t, c) = stored<T>(r);
          at_step(p, da, i, t, c) = stored<T>(product(r, conjugate(t > steps.begin ? loaded(at_step(p, h, i, t - 1, c)) : first)));
          from_later = product(conjugate(loaded(at_step(p, a, i, t, c))), r);
        }
        if (steps.begin > 0) from_later = State{};
      }
      dh0(i, c) = from_later;
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
    .name = "scan/recurrence_sequential_bwd_cpu",
    .op = "recurrence",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, row at a time, one thread; the baseline",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
