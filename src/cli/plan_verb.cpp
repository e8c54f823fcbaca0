// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "scaling/identity.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/machine.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/verbs.hpp"
#include "src/core/units.hpp"

namespace bench::cli {
namespace {

using nlohmann::ordered_json;

ordered_json describe(const scaling::Case& c) {
  ordered_json params = ordered_json::object();
  for (const auto& [name, value] : c.params) std::visit([&, n = name](const auto& v) { params[n] = v; }, value);
  return {{"case", c.id},        {"workload", c.op},       {"kernel", c.kernel},   {"params", params},
          {"ranks", c.ranks},    {"planned", to_text(c.planned)}, {"reason", c.reason}, {"flops", c.cost.flops},
          {"bytes", c.cost.bytes}, {"memory_bytes", c.memory_bytes}, {"sweeps", c.sweeps}};
}

void print_text(const Planned& planned, std::int64_t ranks) {
  const scaling::Plan& plan = planned.plan;
  std::map<std::string, std::int64_t> left_out;
  std::size_t measured = 0;
  for (const scaling::Case& c : plan.cases) {
    measured += c.planned == Outcome::ok ? 1 : 0;
    std::printf("%s  %-11s %s%s%s\n", c.id.substr(0, 12).c_str(), c.planned == Outcome::ok ? "run" : std::string(to_text(c.planned)).c_str(),
                short_name(c).c_str(), c.reason.empty() ? "" : "  # ", c.reason.c_str());
  }
  std::printf("\n%s: %zu cases, %zu to be measured in %zu steps on %ld rank%s, about %s (plan %s)\n", planned.study.name.c_str(), plan.cases.size(),
              measured, plan.steps.size(), static_cast<long>(ranks), ranks == 1 ? "" : "s",
              format_duration(scaling::estimated_duration_s(plan)).c_str(), plan.sha256.substr(0, 12).c_str());
}

ordered_json as_json(const Planned& planned, std::int64_t ranks) {
  ordered_json cases = ordered_json::array(), steps = ordered_json::array();
  for (const scaling::Case& c : planned.plan.cases) cases.push_back(describe(c));
  for (const auto& step : planned.plan.steps) {
    ordered_json visits = ordered_json::array();
    for (const scaling::Visit& visit : step)
      visits.push_back({{"case", planned.plan.cases[static_cast<std::size_t>(visit.case_index)].id},
                        {"visit", visit.number}, {"block", visit.block}, {"width", visit.width}});
    steps.push_back(visits);
  }
  return {{"study", planned.study.name}, {"ranks", ranks}, {"plan_sha256", planned.plan.sha256}, {"cases", cases}, {"steps", steps}};
}

}  // namespace

int plan_verb(const Options& options, std::int64_t ranks) {
  const Planned planned = prepare(options, machine_without_mpi(ranks));
  if (options.json)
    std::cout << as_json(planned, ranks).dump(2) << '\n';
  else
    print_text(planned, ranks);
  return kAllMeasured;
}

}  // namespace bench::cli
