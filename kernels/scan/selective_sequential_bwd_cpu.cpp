// SPDX-License-Identifier: Apache-2.0
// selective_sequential_bwd_cpu: the backward pass of the selective scan with the library's exp, one channel,
// one step and one state at a time. The baseline of this pass.
//
// Shapes: u, delta, z, dout, du, ddelta, dz (B, L, C); A, dA (C, N); B, C, dB, dC (B, L, G, N); D,
// delta_bias, dD, ddelta_bias (C); h0, dh_last, dh0 (B, C, N). Formulas in selective_bwd.hpp. Constant B or C (C, N) and complex numbers, too.
//
// Algorithm: per channel the states and decays of all steps go into scratch, then the steps are walked in
// reverse; dh0's row of N holds what runs back. dB and dC are summed over the channels in their order, dA, dD
// and ddelta_bias, and dB and dC that are a channel's, over the steps by runs of 64, as plain sums over a million steps would lose three digits.
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
#include <utility>

#include "kernels/kernel.hpp"
#include "kernels/scan/flush_denormals.hpp"
#include "kernels/scan/scan.hpp"
#include "kernels/scan/selective_bwd.hpp"
#include "kernels/scan/selective_scalar.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kRun = 64;  // steps whose shares are added up before they meet the long sums

std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  return (6 + 3 * p.seq) * p.state * p.parts() * size_of(state_dtype(p.dtype));
}

/// N: the states' numbers.
template <class T, class N>
struct Work {
  using S = StateOf<T>;
  const SelectiveProblem& p;
  View<const T, 3> u, delta, z, dout;
  MixerRows<T, N> b, c;
  View<const N, 2> a;
  View<const N, 3> h0;
  const S *skip, *bias;
  View<T, 3> du, ddelta, dz;
  N *da, *db, *dc;                     // (C, N), and (B, L, G, N) or (C, N)
  S *dskip, *dbias;                    // (C)
  N *da_run, *db_run, *dc_run;         // (N) each: over a run of steps
  N *zeros, *b_room, *c_room;          // (N) each
  View<N, 2> decay, held, h;           // (L, N): exp(d A), that times the state before, the state after

  Work(const SelectiveProblem& problem, Tensors& tensors, std::span<std::byte> workspace)
      : p(problem), b(std::as_const(tensors)["B"], p.constant_b), c(std::as_const(tensors)["C"], p.constant_c) {
    const Tensors& in = tensors;
    u = view<T, 3>(in["u"]), delta = view<T, 3>(in["delta"]), z = view<T, 3>(in["z"]);
    dout = view<T, 3>(in["dout"]);
    a = numbers<N, 2>(in["A"]), h0 = numbers<N, 3>(in["h0"]);
    skip = in["D"].as<S>(), bias = in["delta_bias"].as<S>();
    du = view<T, 3>(tensors["du"]), ddelta = view<T, 3>(tensors["ddelta"]), dz = view<T, 3>(tensors["dz"]);
    da = tensors["dA"].as<N>(), db = tensors["dB"].as<N>(), dc = tensors["dC"].as<N>();
    dskip = tensors["dD"].as<S>(), dbias = tensors["ddelta_bias"].as<S>();
    N* from = reinterpret_cast<N*>(workspace.data());
    for (N** row : {&da_run, &db_run, &dc_run, &zeros, &b_room, &c_room}) *row = std::exchange(from, from + p.state);
    std::fill_n(zeros, p.state, N{});
    for (View<N, 2>* rows : {&decay, &held, &h}) *rows = {std::exchange(from, from + p.seq * p.state), {p.seq, p.state}};
  }
  const N* b_row(std::int64_t i, std::int64_t t, std::int64_t k) const { return b.row(i, t, k / p.group_channels(), k, b_room); }
  const N* c_row(std::int64_t i, std::int64_t t, std::int64_t k) const { return c.row(i, t, k / p.group_channels(), k, c_room); }
  /// Where a step's part of dB or dC goes.
  N* row_of(N* whole, std::int64_t i, std::int64_t t, std::int64_t k) const {
    return whole + ((i * p.seq + t) * p.groups + k / p.group_channels()) * p.state;
  }
};

/// Fills decay, held and h of one channel of one batch entry.
template <class T, class N>
void forward(const Work<T, N>& w, std::int64_t i, std::int64_t k) {
  using S = StateOf<T>;
  const N* before = &w.h0(i, k, 0);
  const N* a = &w.a(k, 0);
  const Segments segments = w.p.segments();
  for (std::int64_t t = 0; t < w.p.seq; ++t) {
    const S d = softplus<S>(load(w.delta(i, t, k)) + w.bias[k]), x = d * load(w.u(i, t, k));
    const N* b = w.b_row(i, t, k);
    N *decay = &w.decay(t, 0), *held = &w.held(t, 0), *h = &w.h(t, 0);
    if (segments.start_at(t)) before = w.zeros;
    for (std::int64_t n = 0; n < w.p.state; ++n) {
      decay[n] = decay_of(d, a[n]);
      held[n] = product(decay[n], before[n]);
      h[n] = sum(held[n], scaled(x, b[n]));
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
template <class T, class N>
Shares<StateOf<T>> step_back(const Work<T, N>& w, std::int64_t i, std::int64_t t, std::int64_t k, N* later) {
  using S = StateOf<T>;
  const S v = load(w.delta(i, t, k)) + w.bias[k], d = softplus(v), u = load(w.u(i, t, k));
  const S z = load(w.z(i, t, k)), dout = load(w.dout(i, t, k)), gy = dout * silu(z);
  const N *a = &w.a(k, 0), *decay = &w.decay(t, 0), *held = &w.held(t, 0), *h = &w.h(t, 0);
  const N *b = w.b_row(i, t, k), *c = w.c_row(i, t, k);
  N* db = w.p.constant_b ? w.db_run : w.row_of(w.db, i, t, k);
  N* dc = w.p.constant_c ? w.dc_run : w.row_of(w.dc, i, t, k);
  S y = w.skip[k] * u, sum_rb = 0, sum_rac = 0;
  for (std::int64_t n = 0; n < w.p.state; ++n) {
    const N r = sum(mixed_back(gy, c[n]), later[n]), rc = product(r, conjugate(held[n]));
    y += mixed_out(c[n], h[n]);
    sum_rb += inner(r, b[n]);
    sum_rac += inner(rc, a[n]);
    w.da_run[n] = sum(w.da_run[n], scaled(d, rc));
    db[n] = sum(db[n], scaled(d * u, r));
    dc[n] = sum(dc[n], mixed_back(gy, h[n]));
    later[n] = product(conjugate(decay[n]), r);
  }
  const S ddelta = (u * sum_rb + sum_rac) * softplus_slope(v);
  w.du(i, t, k) = store<T>(w.skip[k] * gy + d * sum_rb);
  w.ddelta(i, t, k) = store<T>(ddelta);
  w.dz(i, t, k) = store<T>(dout * y * silu_slope(z));
  return {gy * u, ddelta};
}

/// Steps [begin, end) of the channel, last first, and what they add to the sums over steps.
template <class T, class N>
void run_back(const Work<T, N>& w, std::int64_t i, Range steps, std::int64_t k, N* later) {
  using S = StateOf<T>;
  const std::int64_t states = w.p.state;
  std::fill_n(w.da_run, 3 * states, N{});  // and db_run, dc_run
  Shares<S> shares{0, 0};
  for (std::int64_t t = steps.end - 1; t >= steps.begin; --t) {
    const Shares<S> more = step_back(w, i, t, k, later);
    shares.skip += more.skip;
    shares.bias += more.bias;
  }
  const auto add = [&](N* to, const N* run) {
    for (std::int64_t n = 0; n < states; ++n) to[k * states + n] = sum(to[k * states + n], run[n]);
  };
  add(w.da, w.da_run);
  if (w.p.constant_b) add(w.db, w.db_run);
  if (w.p.constant_c) add(w.dc, w.dc_run);
  w.dskip[k] += shares.skip;
  w.dbias[k] += shares.bias;
}

template <class T, class N>
void scan(const SelectiveProblem& p, Tensors& tensors, std::span<std::byte> workspace) {
  const Work<T, N> work(p, tensors, workspace);
  auto* later = tensors["dh0"].as<N>();
  for (std::int64_t i = 0; i < p.batch; ++i) {
    for (std::int64_t k = 0; k < p.channels; ++k, later += p.state) {
      forward(work, i, k);
      for (Range steps{p.seq, p.seq}; steps.begin > 0;) {
        steps = p.segments().piece_before(steps.begin, kRun);
        run_back(work, i, steps, k, later);
        if (p.segments().start_at(steps.begin)) std::fill_n(later, p.state, N{});
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
  dispatch(p.dtype, [&]<class T>() {
    using S = StateOf<T>;
    p.complex ? scan<T, ComplexOf<S>>(p, tensors, context.workspace) : scan<T, S>(p, tensors, context.workspace);
  });
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
