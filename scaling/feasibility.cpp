// SPDX-License-Identifier: Apache-2.0
#include "scaling/feasibility.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "scaling/parameters.hpp"

namespace bench::scaling {
namespace {

/// Of one rank; round numbers of the slower kind.
struct Nominal {
  double flops_per_s, bytes_per_s, exps_per_s, call_s;
};
constexpr Nominal kHost{20e9, 8e9, 1e9, 5e-6}, kDevice{50e12, 1e12, 1e12, 1e-5};

constexpr double kUsableShare =
    0.9;  // of what is available: the rest is for page tables, MPI and the program itself
constexpr double kLargestBytes = 0x1p62;  // beyond it, sizes no longer fit 64-bit arithmetic

double bytes_of(const std::vector<TensorSpec>& specs, bool as_fp64) {
  double sum = 0.0;
  for (const TensorSpec& spec : specs) {
    double count = static_cast<double>(as_fp64 ? size_of(DType::f64) : size_of(spec.dtype));
    for (const std::int64_t extent : spec.shape) count *= static_cast<double>(extent);
    sum += count;
  }
  return sum;
}

std::string gib(double bytes) {
  char text[48];
  std::snprintf(text, sizeof text, "%.3g GiB", bytes / 0x1p30);
  return text;
}

Cost times(Cost cost, double copies) {
  cost.flops *= copies;
  cost.bytes *= copies;
  cost.bytes_written *= copies;
  cost.exps *= copies;
  return cost;  // what one copy sends stays: wire_bytes is of a rank
}

void set_infeasible(Case& c, std::string reason) {
  c.planned = Outcome::infeasible;
  c.reason = std::move(reason);
}

}  // namespace

double memory_bytes_per_rank(const Op& op, const Kernel& kernel, const Problem& problem) {
  const auto inputs = op.inputs(problem), outputs = op.outputs(problem);
  const double shares =
      (bytes_of(inputs, false) + bytes_of(outputs, false)) / static_cast<double>(problem.ranks);
  const double check = bytes_of(inputs, true) + bytes_of(outputs, true);
  if (shares + check > kLargestBytes) return shares + check;  // the kernel's own arithmetic would overflow
  return shares + check +
         (kernel.workspace_bytes != nullptr ? static_cast<double>(kernel.workspace_bytes(problem)) : 0.0);
}

double nominal_time_s(const Cost& cost, std::int64_t ranks, Backend backend) {
  const Nominal& rates = backend == Backend::cuda || backend == Backend::nccl ? kDevice : kHost;
  const double slowest = std::max({cost.flops / rates.flops_per_s, cost.bytes / rates.bytes_per_s, cost.exps / rates.exps_per_s});
  return slowest / static_cast<double>(ranks) + rates.call_s;
}

void judge(const Op& op, const Kernel& kernel, const Machine& machine, Case& c) {
  const std::unique_ptr<Problem> problem = op.parse(c.params);
  c.reason = supports_case(kernel, *problem);
  if (!c.reason.empty()) {
    c.planned = Outcome::skipped;
    return;
  }
  if (is_graph(c.params) && kernel.backend != Backend::cuda) {
    c.planned = Outcome::skipped;
    c.reason = concat("graph: only what a device does can be captured; ", c.kernel, " is of the ", to_text(kernel.backend), " backend");
    return;
  }
  if (part_of(c.params) != Part::whole && (op.ranks_are_its_data || is_graph(c.params))) {
    c.planned = Outcome::skipped;
    c.reason = op.ranks_are_its_data ? "part: an exchange alone has no parts" : "part: a captured call is replayed whole";
    return;
  }
  const bool between_devices = kernel.backend == Backend::nccl;
  if (problem->ranks > 1 && between_devices != (link_of(c.params) == "nccl")) {
    c.planned = Outcome::skipped;
    c.reason = between_devices ? concat(c.kernel, " sends from device to device: it needs link: nccl")
                               : concat("link: nccl goes from device to device; ", c.kernel, " sends what is in the host's memory");
    return;
  }
  const std::int64_t copies = replicas_of(c.params);
  if (copies > 1 && problem->ranks > 1) {
    c.planned = Outcome::skipped;
    c.reason = concat("replicas are copies of a case on one rank; this one has ranks = ", problem->ranks);
    return;
  }
  const double memory = memory_bytes_per_rank(op, kernel, *problem);
  if (memory > kLargestBytes)
    return set_infeasible(c, concat("needs ", gib(memory), " a rank, more than can be addressed"));
  c.memory_bytes = static_cast<std::int64_t>(std::ceil(memory));
  Cost cost = op.cost(*problem);
  cost.bytes_written = bytes_of(op.outputs(*problem), false);
  c.cost = times(cost, static_cast<double>(copies));
  c.estimate_s = nominal_time_s(c.cost, c.ranks, kernel.backend);
  if (c.ranks > machine.ranks)
    return set_infeasible(c, concat("needs ", c.ranks, " ranks, this run has ", machine.ranks));
  const auto on_a_node = static_cast<double>(std::min(c.ranks, machine.ranks_per_node));
  const double available = kUsableShare * static_cast<double>(machine.memory_bytes_per_node) / on_a_node;
  if (machine.memory_bytes_per_node > 0 && memory > available)
    set_infeasible(c, concat("needs ", gib(memory), " a rank, a rank can have ", gib(available)));
}

}  // namespace bench::scaling
