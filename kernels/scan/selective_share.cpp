// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/selective_share.hpp"

#include <cstring>

#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_record.hpp"
#include "kernels/scan/selective_scalar.hpp"
#include "kernels/scan/selective_tile.hpp"

namespace bench::scan {
namespace {

/// Both passes over this rank's steps, in fp64 by the scalar loops.
struct ScalarEngine {
  using S = double;
  const SelectiveProblem& p;
  SelectiveViews<double> views;
  ScalarEngine(const SelectiveProblem& problem, Tensors& tensors, int rank)
      : p(problem), views(problem, tensors, problem.segments(rank)) {}

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
};

/// The same in fp32 by the vector engine.
struct VectorEngine {
  using S = float;
  const SelectiveProblem& p;
  SelectiveShare share;
  std::int64_t width;
  VectorEngine(const SelectiveProblem& problem, Tensors& tensors, int rank)
      : p(problem), share(make_share(problem, tensors, rank)), width(strip_width(problem)) {}
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
};

template <class Engine>
void scan_share(const SelectiveProblem& p, Tensors& tensors, Context& context, Exchange how) {
  using S = typename Engine::S;
  Link& link = *context.link;
  const Engine engine(p, tensors, link.rank());
  const auto record_bytes = static_cast<std::size_t>(selective_record_states(p)) * sizeof(S);
  const std::span<std::byte> record = context.workspace.subspan(0, record_bytes);
  const CarryRules rules = selective_rules<S>(p, tensors["A"].as<S>());
  rules.clear(record);
  auto* delta_sum = reinterpret_cast<S*>(record.data());
  if (link.rank() + 1 < link.size())
    engine.carry(delta_sum, delta_sum + p.batch * p.channels);  // nobody needs the last rank's carry

  Tensor& h_last = tensors["h_last"];
  const std::span<std::byte> state(h_last.data(), static_cast<std::size_t>(h_last.bytes()));
  std::memcpy(state.data(), tensors["h0"].data(), state.size());
  start_state(how, link, rules, record, state, context.workspace.subspan(record_bytes));
  engine.scan(h_last.as<S>());
  broadcast_from_last(link, state);
}

}  // namespace

std::string selective_share_limits(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.dtype != DType::f64 && p.state > kMaxStates)
    return concat("state = ", p.state, " is more than the ", kMaxStates, " this kernel holds");
  return needs_plain_mixers(p);
}

std::int64_t selective_share_bytes(const Problem& problem, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const std::int64_t size = size_of(state_dtype(p.dtype)), record = selective_record_states(p) * size;
  return record + exchange_room(how, p.ranks, record, p.batch * p.channels * p.state * size);
}

void scan_selective_share(const Problem& problem, Tensors& tensors, Context& context, Exchange how) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.dtype == DType::f64) return scan_share<ScalarEngine>(p, tensors, context, how);
  scan_share<VectorEngine>(p, tensors, context, how);
}

}  // namespace bench::scan
