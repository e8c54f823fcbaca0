// SPDX-License-Identifier: Apache-2.0
// ssd_sequential_cpu: Mamba-2's scan as its definition says, one head and one step at a time.
// The baseline of this op.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// Formulas in ssd.hpp.
//
// Algorithm: per head and step one decay, then P rows of N states, each decayed, fed and multiplied with C.
// h_last's rows are the running state. One thread.
//
// Work: 5 B L H P N FLOPs, a decay at every step; the sum over n is a chain of additions, which the compiler
// must keep in order, and which binds.
//
// Error against fp64: some 10 eps of the state's type.
//
// Right choice: as the yardstick. Wrong: for speed; see ssd_chunked_cpu.
#include <cmath>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/ssd.hpp"

namespace bench::scan {
namespace {

/// One element of a head at one step: its N states `s` before and after; the sum over C s is returned.
template <class T, class S>
S step_row(S decay, S input, const T* b, const T* c, std::int64_t states, S* s) {
  S y = S{0};
  for (std::int64_t n = 0; n < states; ++n) {
    s[n] = decay * s[n] + input * load(b[n]);
    y += s[n] * load(c[n]);
  }
  return y;
}

/// All steps of one head of one batch entry: `state` holds its P x N states, before and after.
template <class T>
void scan_head(const SsdViews<T>& in, std::int64_t entry, std::int64_t head, StateOf<T>* state) {
  using S = StateOf<T>;
  const std::int64_t states = in.states(), group = in.group_of(head);
  for (std::int64_t t = 0; t < in.rows(); ++t) {
    const S d = in.limits.step(load(in.dt(entry, t, head)) + in.bias[head]);
    const S decay = in.segments.start_at(t) ? S{0} : std::exp(d * in.a[head]);
    const T* b = &in.b(entry, t, group, 0);
    const T* c = &in.c(entry, t, group, 0);
    for (std::int64_t i = 0; i < in.head_dim(); ++i) {
      const S x = load(in.x(entry, t, head, i));
      const S y = step_row<T, S>(decay, d * x, b, c, states, state + i * states);
      const S skipped = y + in.skip[head] * x;
      in.out(entry, t, head, i) =
          store<T>(in.gated() ? skipped * silu<S>(load(in.z(entry, t, head, i))) : skipped);
    }
  }
}

void run(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SsdProblem>(problem);
  const FlushDenormals flush;
  std::memcpy(tensors["h_last"].data(), tensors["h0"].data(),
              static_cast<std::size_t>(tensors["h0"].bytes()));
  dispatch(p.dtype, [&]<class T>() {
    const SsdViews<T> views(p, tensors);
    auto* state = tensors["h_last"].as<StateOf<T>>();
    for (std::int64_t i = 0; i < p.batch; ++i)
      for (std::int64_t h = 0; h < p.heads; ++h)
        scan_head<T>(views, i, h, state + (i * p.heads + h) * p.head_states());
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_sequential_cpu",
    .op = "ssd",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "scalar loops as the definition says, one thread; the baseline",
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
