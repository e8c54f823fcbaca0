// SPDX-License-Identifier: Apache-2.0
// ssd_sequential_bwd_cpu: the backward pass of Mamba-2's scan as its formulas say, one row of states (one
// element of a head), one step and one state at a time. The baseline of this pass.
//
// Shapes: x, dout, dx, gated z and dz (B, L, H, P); dt, ddt (B, L, H); A, D, dt_bias, dA, dD, ddt_bias (H); B, C, dB, dC (B,
// L, G, N); h0, dh_last, dh0 (B, H, P, N). Formulas in ssd_bwd.hpp.
//
// Algorithm: per row the states of all steps go into scratch, then the steps are walked in reverse; dh0's row
// of N holds what runs back. The rows of a head meet in two sums a step, w and u, and in dB and dC, which are
// summed over rows and heads in their order. dA, dD and ddt_bias are summed over the steps by runs of 64, as
// plain sums over a million steps would lose three digits. One thread.
//
// Work: 16 B L H P N FLOPs in chains of additions that the compiler must keep in order; workspace L N states
// and 4 L numbers. dB and dC are read and written once a row.
//
// Error against fp64: some 50 eps of the state's type.
//
// Right choice: as the yardstick. Wrong: for speed; see ssd_chunked_bwd_cpu.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/selective_bwd.hpp"
#include "kernels/scan/ssd_bwd_views.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kRun = 64;  // steps whose shares are added up before they meet the long sums

/// d, its decays, w and u of a head, then the L N states of a row.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  return (4 + p.state) * p.seq * size_of(state_dtype(p.dtype));
}

template <class S>
struct Scratch {
  S *d, *decay, *w, *u;  // (L) each, of a head; the decay is zero where a packed sequence begins
  S* held;               // (L, N): e_t S_{t-1} of a row
  Scratch(std::span<std::byte> workspace, std::int64_t seq)
      : d(reinterpret_cast<S*>(workspace.data())), decay(d + seq), w(decay + seq), u(w + seq), held(u + seq) {}
};

/// The gradient before the gate.
template <class T, class S = StateOf<T>>
S ungated(const SsdBwdViews<T>& v, std::int64_t entry, std::int64_t t, std::int64_t head, std::int64_t i) {
  const S dout = load(v.dout(entry, t, head, i));
  return v.gated() ? dout * silu<S>(load(v.z(entry, t, head, i))) : dout;
}

/// Fills `held` of element i of a head.
template <class T, class S = StateOf<T>>
void forward(const SsdBwdViews<T>& v, const Scratch<S>& s, std::int64_t entry, std::int64_t head,
             std::int64_t i) {
  const std::int64_t states = v.states(), group = v.group_of(head);
  const S* h0 = &v.h0(entry, head, i, 0);
  for (std::int64_t t = 0; t < v.rows(); ++t) {
    const S decay = s.decay[t];
    S *now = s.held + t * states, *before = now - states;
    if (t == 0) {
      for (std::int64_t n = 0; n < states; ++n) now[n] = decay * h0[n];
      continue;
    }
    const S fed = s.d[t - 1] * load(v.x(entry, t - 1, head, i));
    const T* b = &v.b(entry, t - 1, group, 0);
    for (std::int64_t n = 0; n < states; ++n) now[n] = decay * (before[n] + fed * load(b[n]));
  }
}

/// Step t of element i, after all later ones. `later` (N): e_{t+1} R_{t+1}, which becomes that of t.
template <class T, class S = StateOf<T>>
void step_back(const SsdBwdViews<T>& v, const Scratch<S>& s, std::int64_t entry, std::int64_t t,
               std::int64_t head, std::int64_t i, S* later) {
  const std::int64_t states = v.states(), group = v.group_of(head);
  const S x = load(v.x(entry, t, head, i)), dout = ungated(v, entry, t, head, i), d = s.d[t];
  const S decay = s.decay[t];
  const T *b = &v.b(entry, t, group, 0), *c = &v.c(entry, t, group, 0);
  S *db = &v.db(entry, t, group, 0), *dc = &v.dc(entry, t, group, 0), *held = s.held + t * states;
  S sum_rb = 0, sum_rh = 0;
  for (std::int64_t n = 0; n < states; ++n) {
    const S r = dout * load(c[n]) + later[n];
    sum_rb += r * load(b[n]);
    sum_rh += r * held[n];
    db[n] += r * d * x;
    dc[n] += dout * (held[n] + d * x * load(b[n]));
    later[n] = decay * r;
  }
  s.w[t] += x * sum_rb;
  s.u[t] += sum_rh;
  v.dx(entry, t, head, i) = store<T>(v.skip[head] * dout + d * sum_rb);
  if (!v.gated()) return;
  const S slope = silu_slope<S>(load(v.z(entry, t, head, i)));
  S y = v.skip[head] * x;
  for (std::int64_t n = 0; n < states; ++n) y += (held[n] + d * x * load(b[n])) * load(c[n]);
  v.dz(entry, t, head, i) = store<T>(load(v.dout(entry, t, head, i)) * y * slope);
}

/// What the rows of a head make together, of the steps [begin, end).
template <class T, class S = StateOf<T>>
void finish(const SsdBwdViews<T>& v, const Scratch<S>& s, std::int64_t entry, Range steps,
            std::int64_t head) {
  S sum_a = 0, sum_skip = 0, sum_bias = 0;
  for (std::int64_t t = steps.begin; t < steps.end; ++t) {
    const S slope = v.limits.slope(load(v.dt(entry, t, head)) + v.bias[head], s.d[t]);
    const S ddt = (s.w[t] + v.a[head] * s.u[t]) * slope;
    v.ddt(entry, t, head) = store<T>(ddt);
    sum_a += s.d[t] * s.u[t];
    sum_bias += ddt;
    for (std::int64_t i = 0; i < v.head_dim(); ++i)
      sum_skip += ungated(v, entry, t, head, i) * load(v.x(entry, t, head, i));
  }
  v.da[head] += sum_a;
  v.dskip[head] += sum_skip;
  v.dbias[head] += sum_bias;
}

template <class T>
void take_head(const SsdBwdViews<T>& v, const Scratch<StateOf<T>>& s, std::int64_t entry, std::int64_t head) {
  using S = StateOf<T>;
  const std::int64_t seq = v.rows();
  for (std::int64_t t = 0; t < seq; ++t) {
    s.d[t] = v.limits.step(load(v.dt(entry, t, head)) + v.bias[head]);
    s.decay[t] = v.segments.start_at(t) ? S{0} : std::exp(s.d[t] * v.a[head]);
  }
  std::fill_n(s.w, seq, S{0});
  std::fill_n(s.u, seq, S{0});
  for (std::int64_t i = 0; i < v.head_dim(); ++i) {
    forward(v, s, entry, head, i);
    S* later = &v.dh0(entry, head, i, 0);
    for (std::int64_t t = seq - 1; t >= 0; --t) step_back(v, s, entry, t, head, i, later);
  }
  for (std::int64_t t = 0; t < seq; t += kRun) finish(v, s, entry, {t, std::min(t + kRun, seq)}, head);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  const FlushDenormals flush;
  for (const char* name : {"dA", "dB", "dC", "dD", "ddt_bias"})
    std::memset(tensors[name].data(), 0, static_cast<std::size_t>(tensors[name].bytes()));
  Tensor& dh0 = tensors["dh0"];
  std::memcpy(dh0.data(), tensors["dh_last"].data(), static_cast<std::size_t>(dh0.bytes()));
  dispatch(p.dtype, [&]<class T>() {
    const SsdBwdViews<T> views(p, tensors);
    const Scratch<StateOf<T>> scratch(context.workspace, p.seq);
    for (std::int64_t entry = 0; entry < p.batch; ++entry)
      for (std::int64_t head = 0; head < p.heads; ++head) take_head(views, scratch, entry, head);
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_sequential_bwd_cpu",
    .op = "ssd",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, scalar loops as the formulas say, one thread; the baseline",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
