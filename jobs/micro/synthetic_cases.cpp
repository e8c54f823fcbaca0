// SPDX-License-Identifier: Apache-2.0
#include "jobs/micro/synthetic_cases.hpp"

#include <fmt/format.h>

#include <cmath>

#include "src/core/rng.hpp"

namespace bench::jobs::micro {
namespace {

scaling::Case synthetic_case(const Op& op, const std::string& kernel, std::int64_t index) {
  const std::int64_t curve = index / 4;
  scaling::Case c;
  c.id = fmt::format("{:032x}", index);
  c.op = op.name;
  c.kernel = kernel;
  c.ranks = std::int64_t{1} << (index % 4);
  c.params = default_params(op);
  c.params["ranks"] = c.ranks;
  c.params["batch"] = 1 + curve;
  c.cost = {.flops = 1e9, .bytes = 1e6, .exps = 1e5};
  c.sweeps = {"synthetic/strong"};
  c.scaling = {{"synthetic/strong", "strong", "", fmt::format("{:032x}", curve)}};
  return c;
}

}  // namespace

std::vector<double> synthetic_times(std::uint64_t seed, std::int64_t count) {
  const CounterRng rng(seed, "times");
  std::vector<double> times;
  for (std::int64_t i = 0; i < count; ++i)
    times.push_back(1e-3 * std::exp(0.05 * rng.normal(static_cast<std::uint64_t>(i))));
  return times;
}

analysis::RunRecord synthetic_cases(std::int64_t cases, std::int64_t samples) {
  const Op& op = *Registry<Op>::instance().all().front();
  const std::string kernel = op.name + "/synthetic";
  analysis::RunRecord run{
      .run_id = std::string(32, '0'), .created_utc = "2026-01-01T00:00:00Z", .study = "synthetic"};
  run.provenance_json = "{}";
  analysis::Limits limits{
      .fp32_flops_per_s = 1e12, .bf16_flops_per_s = 2e12, .fp64_flops_per_s = 5e11, .exps_per_s = 1e10};
  limits.triad_bytes_per_s.fill(1e11);
  for (const std::int64_t width : {1, 2, 4, 8}) run.limits[{width, 1}] = limits;
  for (std::int64_t i = 0; i < cases; ++i) {
    run.cases.push_back(synthetic_case(op, kernel, i));
    const scaling::Case& c = run.cases.back();
    analysis::VisitRecord visit{.case_id = c.id, .ranks = c.ranks};
    visit.rank_time_s = synthetic_times(static_cast<std::uint64_t>(i), samples * c.ranks);
    visit.stop_reason = "converged";
    visit.checks = {{"out", 1e-7, 1e-5}};
    run.visits.push_back(std::move(visit));
  }
  return run;
}

}  // namespace bench::jobs::micro
