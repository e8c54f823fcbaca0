// SPDX-License-Identifier: Apache-2.0
// A small run made by hand, whose figures can be worked out with a pencil:
//
//   attention  naive (the baseline)  1 rank   median 1.005 ms [0.97, 1.04]
//              flash                 1 rank   half of that
//              ring                  1 rank   the same as naive; 2 ranks: 0.6 of it, the second rank a tenth faster
//              broken                wrong_result
//              missing               skipped, never visited
//   recurrence chunked               1 rank   a tenth of naive; it has no `heads`, attention no `channels`
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "analysis/record.hpp"

namespace bench::analysis {

/// Seconds. No order among them (independent by every test in statistics/), ten of them: the 95 % interval of
/// the median is the second and the ninth in rank, 0.97 and 1.04 ms; the median is 1.005 ms.
inline const std::vector<double> kTenSamples{1.02e-3, 0.97e-3, 1.01e-3, 1.05e-3, 0.96e-3,
                                             1.00e-3, 1.03e-3, 0.98e-3, 1.04e-3, 0.99e-3};

inline scaling::Case synthetic_case(const std::string& op, const std::string& kernel, std::int64_t ranks) {
  scaling::Case c;
  c.id = op + "-" + kernel + "-" + std::to_string(ranks);
  c.op = op;
  c.kernel = op + "/" + kernel;
  c.params = {{"dtype", std::string("fp32")}, {"seq", std::int64_t{128}}, {"ranks", ranks}};
  if (op == "attention") {
    c.params["causal"] = true;
    c.params["heads"] = std::int64_t{4};
  } else {
    c.params["channels"] = std::int64_t{64};
  }
  c.ranks = ranks;
  c.cost = {.flops = 1e9, .bytes = 1e6, .exps = 1e5};
  c.baseline = "attention/naive";
  return c;
}

/// One visit whose ranks take `scale` times the ten samples; ranks after the first take `rest` of that.
inline VisitRecord synthetic_visit(const scaling::Case& c, double scale, double rest = 1.0) {
  VisitRecord v;
  v.case_id = c.id;
  v.ranks = c.ranks;
  for (const double sample : kTenSamples)
    for (std::int64_t r = 0; r < c.ranks; ++r) v.rank_time_s.push_back(sample * scale * (r == 0 ? 1.0 : rest));
  v.stop_reason = "converged";
  v.checks = {{"o", 1e-7, 1e-5}, {"lse", 1e-6, 1e-5}};
  v.figures = {{"loss", "1", 0.125}, {"snr", "dB", 21.5}};
  v.peak_memory_bytes = 1 << 20;
  v.wire_bytes = c.ranks > 1 ? 4096 : 0;
  return v;
}

inline RunRecord synthetic_run() {
  RunRecord run;
  run.run_id = "0123456789abcdef0123456789abcdef";
  run.created_utc = "2026-01-02T03:04:05Z";
  run.study = "pencil";
  run.plan_sha256 = "f00d";
  run.provenance_json = R"({"commit":"abc","threads":[1,2]})";
  run.journal_bytes = "{\"len\":2}\n";
  Limits limits{.fp32_flops_per_s = 2e12, .bf16_flops_per_s = 4e12, .fp64_flops_per_s = 1e12, .exps_per_s = 1e10};
  limits.triad_bytes_per_s.fill(1e11);
  run.limits[{1, 1}] = limits;

  for (const char* kernel : {"naive", "flash", "ring", "broken", "missing"})
    run.cases.push_back(synthetic_case("attention", kernel, 1));
  run.cases.push_back(synthetic_case("attention", "ring", 2));
  run.cases.push_back(synthetic_case("recurrence", "chunked", 1));
  for (const std::size_t i : {2U, 5U}) run.cases[i].scaling = {{"pencil/strong", "strong", "", "curve"}};
  run.cases[4].planned = Outcome::skipped;
  run.cases[4].reason = "library absent";

  const auto visit = [&](std::size_t i, double scale, double rest = 1.0) {
    run.visits.push_back(synthetic_visit(run.cases[i], scale, rest));
  };
  visit(0, 1.0);
  visit(1, 0.5);
  visit(2, 1.0);
  VisitRecord broken;
  broken.case_id = run.cases[3].id;
  broken.outcome = Outcome::wrong_result;
  broken.reason = "o is off by 0.5 (allowed 1e-05)";
  broken.checks = {{"o", 0.5, 1e-5}};
  run.visits.push_back(broken);
  visit(5, 0.6, 0.9);
  VisitRecord& pair = run.visits.back();  // the second rank starts a microsecond after the first, and ends before it
  for (std::size_t i = 0; i < kTenSamples.size(); ++i) pair.rank_start_s.insert(pair.rank_start_s.end(), {0.0, 1e-6});
  pair.flags.assign(kTenSamples.size(), 0);
  pair.sync = "window";
  pair.clock_bound_s = 1e-7;
  pair.before = {{"cpu_mhz", 2000.0}, {"steal_fraction", 0.01}};
  pair.after = {{"cpu_mhz", 1900.0}};
  visit(6, 0.1);
  run.telemetry = {{0.1, {{"cpu_mhz", 2000.0}}}, {0.2, {{"cpu_mhz", 1900.0}, {"load_1m", 0.5}}}};
  return run;
}

/// Index of the case `op`/`kernel` on so many ranks, in the run above.
inline std::size_t case_of(const RunRecord& run, const std::string& kernel, std::int64_t ranks = 1) {
  for (std::size_t i = 0; i < run.cases.size(); ++i)
    if (run.cases[i].kernel == kernel && run.cases[i].ranks == ranks) return i;
  throw Error(ErrorKind::internal, concat("no case ", kernel, " on ", ranks, " ranks"));
}

}  // namespace bench::analysis
