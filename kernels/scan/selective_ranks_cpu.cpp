// SPDX-License-Identifier: Apache-2.0
// selective_ranks_cpu: the selective scan with the steps cut over ranks, contiguous runs in rank order.
//
// Shapes per rank: u, delta, z, out (B, l, C), B, C (B, l, G, N) with l its share of L (may be 0); A (C, N),
// D, delta_bias (C), h0, h_last (B, C, N) whole on every rank. Formulas in selective.hpp.
//
// Algorithm ("state first"):
//   (1) each rank but the last carries its share from zero: record (sum of d; N end states) per entry and
//       channel. The decay of a run is exp(A sum d), so 1 + N numbers say what 2 N would;
//   (2) exclusive scan of the records over ranks, earlier on the left:
//       (s1, e1) o (s2, e2) = (s1 + s2, exp(A s2) e1 + e2);
//   (3) each rank scans its share from its true start state exp(A sum d) h0 + end;
//   (4) the last rank's state goes to all as h_last.
// That is twice the exponentials of one rank: a work factor of up to 2.
//
// Wire: ceil(log2 P) + 1 messages of B C (1 + N) states and at most ceil(log2 P) of B C N, whatever L.
//
// Error against fp64: as the engine below, plus some roundings per doubling of P.
//
// Engine: selective_tile.hpp; for fp64 the scalar loops. Preconditions: link.size() == ranks; N <= 256 unless
// fp64; L may be smaller than P. Threads take strips of a rank's channels; its time is not cut again.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/carry.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_scalar.hpp"
#include "kernels/scan/selective_tile.hpp"

namespace bench::scan {
namespace {

/// States of one record: B C sums, B C N end states.
std::int64_t record_states(const SelectiveProblem& p) {
  return p.batch * p.channels * (1 + p.state);
}

/// Workspace: the record and the identity.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  return 2 * record_states(p) * size_of(state_dtype(p.dtype));
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.dtype != DType::f64 && p.state > kMaxStates)
    return concat("state = ", p.state, " is more than the ", kMaxStates, " this kernel holds");
  return {};
}

/// Both passes over this rank's steps, in fp64 by the scalar loops.
struct ScalarEngine {
  using S = double;
  const SelectiveProblem& p;
  SelectiveViews<double> views;
  ScalarEngine(const SelectiveProblem& problem, Tensors& tensors) : p(problem), views(tensors) {}

  void carry(double* delta_sum, double* h) const {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
    for (std::int64_t i = 0; i < p.batch * p.channels; ++i)
      carry_channel<double>(views, i / p.channels, i % p.channels, delta_sum[i], h + i * p.state);
  }
  void scan(double* h) const {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(static)
    for (std::int64_t i = 0; i < p.batch * p.channels; ++i)
      scan_channel<double>(views, i / p.channels, i % p.channels, h + i * p.state);
  }
  static void apply(const double* a, std::int64_t channels, std::int64_t states, const double* delta_sum,
                    const double* earlier_h, double* later_h) {
    for (std::int64_t i = 0; i < channels * states; ++i)
      later_h[i] += std::exp(a[i] * delta_sum[i / states]) * earlier_h[i];
  }
};

/// The same in fp32 by the vector engine.
struct VectorEngine {
  using S = float;
  const SelectiveProblem& p;
  SelectiveShare share;
  std::int64_t width;
  VectorEngine(const SelectiveProblem& problem, Tensors& tensors)
      : p(problem), share(make_share(problem, tensors)), width(widest_strip(problem.state)) {
    while (strips() < p.threads && width > kLanes) width = ceil_div(width / 2, kLanes) * kLanes;
  }
  std::int64_t strips() const { return p.batch * strips_per_entry(share, width); }

  void carry(float* delta_sum, float* h) const {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
    for (std::int64_t i = 0; i < strips(); ++i) {
      const Strip strip = strip_at(share, width, i);
      carry_strip(share, strip, {0, share.rows}, delta_sum + strip.entry * p.channels,
                  h + strip.entry * p.channels * p.state);
    }
  }
  void scan(float* h) const {
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
    for (std::int64_t i = 0; i < strips(); ++i) {
      const Strip strip = strip_at(share, width, i);
      scan_strip(share, strip, {0, share.rows}, h + strip.entry * p.channels * p.state);
    }
  }
  static void apply(const float* a, std::int64_t channels, std::int64_t states, const float* delta_sum,
                    const float* earlier_h, float* later_h) {
    apply_carry(a, channels, states, delta_sum, earlier_h, later_h);
  }
};

template <class Engine>
void scan_share(const SelectiveProblem& p, Tensors& tensors, Context& context) {
  using S = typename Engine::S;
  const Engine engine(p, tensors);
  Link& link = *context.link;
  const std::int64_t sums = p.batch * p.channels;
  const auto record_bytes = static_cast<std::size_t>(record_states(p)) * sizeof(S);
  auto* delta_sum = reinterpret_cast<S*>(context.workspace.data());
  std::memset(context.workspace.data(), 0, 2 * record_bytes);  // the identity: no time, no state
  if (link.rank() + 1 < link.size())
    engine.carry(delta_sum, delta_sum + sums);  // nobody needs the last rank's carry

  const S* a = tensors["A"].as<S>();
  const auto combine = [&](std::span<const std::byte> earlier, std::span<std::byte> later) {
    const auto* first = reinterpret_cast<const S*>(earlier.data());
    auto* second = reinterpret_cast<S*>(later.data());
    for (std::int64_t i = 0; i < p.batch; ++i)
      Engine::apply(a, p.channels, p.state, second + i * p.channels, first + sums + i * p.channels * p.state,
                    second + sums + i * p.channels * p.state);
    for (std::int64_t i = 0; i < sums; ++i) second[i] += first[i];
  };
  link.exscan(context.workspace.subspan(0, record_bytes),
              context.workspace.subspan(record_bytes, record_bytes), combine);

  // The record of all lower ranks, applied to h0, is this rank's start state.
  S* h = tensors["h_last"].as<S>();
  const S* h0 = tensors["h0"].as<S>();
  std::copy_n(delta_sum + sums, sums * p.state, h);
  for (std::int64_t i = 0; i < p.batch; ++i)
    Engine::apply(a, p.channels, p.state, delta_sum + i * p.channels, h0 + i * p.channels * p.state,
                  h + i * p.channels * p.state);
  engine.scan(h);
  broadcast_from_last(link, {tensors["h_last"].data(), static_cast<std::size_t>(tensors["h_last"].bytes())});
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.dtype == DType::f64) return scan_share<ScalarEngine>(p, tensors, context);
  scan_share<VectorEngine>(p, tensors, context);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_ranks_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .collective = true,
    .about = "steps cut over ranks; carries by an exclusive scan, state first",
    .supports = supports,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
