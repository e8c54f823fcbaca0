// SPDX-License-Identifier: Apache-2.0
// selective_sequential_bwd_cpu: the backward pass of the selective scan with the library's exp, one channel,
// one step and one state at a time. The baseline of this pass.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp.
//
// Algorithm: per channel the states and decays of all steps go into scratch, then the steps are walked in
// reverse; dh0's row of N holds what runs back. dB and dC are summed over the channels in their order, dA, dD
// and ddelta_bias over the steps by runs of 64, as plain sums over a million steps would lose three digits.
// One thread. std::exp is a call per state, not vectorised.
//
// Work: 20 B L C N FLOPs and B L C (N + 6) exponentials; workspace 3 L N states, which leaves the caches at
// long L. Reads and writes (B, L, C) with a stride of C.
//
// Error against fp64: some 10 eps of the state's type.
//
// Right choice: as the yardstick. Wrong: for speed; see selective_chunked_bwd_cpu.
#include <algorithm>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective_bwd.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kRun = 64;  // steps whose shares are added up before they meet the long sums

/// N sums, N zeros, then 3 L N states.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  return (2 + 3 * p.seq) * p.state * size_of(state_dtype(p.dtype));
}

template <class T>
struct Work {
  using S = StateOf<T>;
  const SelectiveProblem& p;
  View<const T, 3> u, delta, z, dout;
  View<const T, 4> b, c;
  View<const S, 2> a;
  View<const S, 3> h0;
  const S *skip, *bias;
  View<T, 3> du, ddelta, dz;
  View<S, 4> db, dc;
  S* sums;                    // (N): dA over a run of steps; behind it N zeros
  View<S, 2> decay, held, h;  // (L, N): exp(d A), that times the state before, the state after

  Work(const SelectiveProblem& problem, Tensors& tensors, std::span<std::byte> workspace) : p(problem) {
    const Tensors& in = tensors;
    u = view<T, 3>(in["u"]), delta = view<T, 3>(in["delta"]), z = view<T, 3>(in["z"]);
    dout = view<T, 3>(in["dout"]);
    b = view<T, 4>(in["B"]), c = view<T, 4>(in["C"]);
    a = view<S, 2>(in["A"]), h0 = view<S, 3>(in["h0"]);
    skip = in["D"].as<S>(), bias = in["delta_bias"].as<S>();
    du = view<T, 3>(tensors["du"]), ddelta = view<T, 3>(tensors["ddelta"]), dz = view<T, 3>(tensors["dz"]);
    db = view<S, 4>(tensors["dB"]), dc = view<S, 4>(tensors["dC"]);
    sums = reinterpret_cast<S*>(workspace.data());
    S* from = sums + 2 * p.state;
    std::fill_n(sums + p.state, p.state, S{0});
    for (View<S, 2>* rows : {&decay, &held, &h}) {
      *rows = {from, {p.seq, p.state}};
      from += p.seq * p.state;
    }
  }
};

/// Fills decay, held and h of one channel of one batch entry.
template <class T>
void forward(const Work<T>& w, std::int64_t i, std::int64_t k) {
  using S = StateOf<T>;
  const std::int64_t states = w.p.state, group = k / w.p.group_channels();
  const S* before = &w.h0(i, k, 0);
  const S* a = &w.a(k, 0);
  const Segments segments = w.p.segments();
  for (std::int64_t t = 0; t < w.p.seq; ++t) {
    const S d = softplus<S>(load(w.delta(i, t, k)) + w.bias[k]), x = d * load(w.u(i, t, k));
    const T* b = &w.b(i, t, group, 0);
    S *decay = &w.decay(t, 0), *held = &w.held(t, 0), *h = &w.h(t, 0);
    if (segments.start_at(t)) before = w.sums + states;
    for (std::int64_t n = 0; n < states; ++n) {
      decay[n] = std::exp(d * a[n]);
      held[n] = decay[n] * before[n];
      h[n] = held[n] + x * load(b[n]);
    }
    before = h;
  }
}

/// What one step adds to dD and ddelta_bias.
template <class S>
struct Shares {
  S skip, bias;
};

/// Step t of the channel, after all later ones. `later` (N): exp(d_{t+1} A) r_{t+1}, which becomes that of t.
template <class T>
Shares<StateOf<T>> step_back(const Work<T>& w, std::int64_t i, std::int64_t t, std::int64_t k,
                             StateOf<T>* later) {
  using S = StateOf<T>;
  const std::int64_t group = k / w.p.group_channels();
  const S v = load(w.delta(i, t, k)) + w.bias[k], d = softplus(v), u = load(w.u(i, t, k));
  const S z = load(w.z(i, t, k)), dout = load(w.dout(i, t, k)), gy = dout * silu(z);
  const S *a = &w.a(k, 0), *decay = &w.decay(t, 0), *held = &w.held(t, 0), *h = &w.h(t, 0);
  const T *b = &w.b(i, t, group, 0), *c = &w.c(i, t, group, 0);
  S *db = &w.db(i, t, group, 0), *dc = &w.dc(i, t, group, 0);
  S y = w.skip[k] * u, sum_rb = 0, sum_rac = 0;
  for (std::int64_t n = 0; n < w.p.state; ++n) {
    const S r = gy * load(c[n]) + later[n], rc = r * held[n];
    y += load(c[n]) * h[n];
    sum_rb += r * load(b[n]);
    sum_rac += a[n] * rc;
    w.sums[n] += d * rc;
    db[n] += r * d * u;
    dc[n] += gy * h[n];
    later[n] = decay[n] * r;
  }
  const S ddelta = (u * sum_rb + sum_rac) * softplus_slope(v);
  w.du(i, t, k) = store<T>(w.skip[k] * gy + d * sum_rb);
  w.ddelta(i, t, k) = store<T>(ddelta);
  w.dz(i, t, k) = store<T>(dout * y * silu_slope(z));
  return {gy * u, ddelta};
}

/// Steps [begin, end) of the channel, last first, and what they add to the sums over steps.
template <class T>
void run_back(const Work<T>& w, std::int64_t i, Range steps, std::int64_t k, StateOf<T>* later,
              Tensors& tensors) {
  using S = StateOf<T>;
  std::fill_n(w.sums, w.p.state, S{0});
  Shares<S> sum{0, 0};
  for (std::int64_t t = steps.end - 1; t >= steps.begin; --t) {
    const Shares<S> shares = step_back(w, i, t, k, later);
    sum.skip += shares.skip;
    sum.bias += shares.bias;
  }
  S* da = tensors["dA"].as<S>() + k * w.p.state;
  for (std::int64_t n = 0; n < w.p.state; ++n) da[n] += w.sums[n];
  tensors["dD"].as<S>()[k] += sum.skip;
  tensors["ddelta_bias"].as<S>()[k] += sum.bias;
}

template <class T>
void scan(const SelectiveProblem& p, Tensors& tensors, std::span<std::byte> workspace) {
  const Work<T> work(p, tensors, workspace);
  auto* later = tensors["dh0"].as<StateOf<T>>();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t k = 0; k < p.channels; ++k, later += p.state) {
      forward(work, i, k);
      for (Range steps{p.seq, p.seq}; steps.begin > 0;) {
        steps = p.segments().piece_before(steps.begin, kRun);
        run_back(work, i, steps, k, later, tensors);
        if (p.segments().start_at(steps.begin)) std::fill_n(later, p.state, StateOf<T>{0});
      }
    }
  }
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const FlushDenormals flush;
  for (const char* name : {"dA", "dB", "dC", "dD", "ddelta_bias"})
    std::memset(tensors[name].data(), 0, static_cast<std::size_t>(tensors[name].bytes()));
  Tensor& dh0 = tensors["dh0"];
  std::memcpy(dh0.data(), tensors["dh_last"].data(), static_cast<std::size_t>(dh0.bytes()));
  dispatch(p.dtype, [&]<class T>() { scan<T>(p, tensors, context.workspace); });
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_sequential_bwd_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, scalar loops with std::exp, one thread; the baseline",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
