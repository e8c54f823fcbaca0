// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "scaling/forecast.hpp"
#include "scaling/identity.hpp"
#include "src/cli/exit_codes.hpp"
#include "src/cli/machine.hpp"
#include "src/cli/progress.hpp"
#include "src/cli/verbs.hpp"
#include "src/core/units.hpp"

namespace bench::cli {
namespace {

using nlohmann::ordered_json;

const scaling::Case& case_of(const scaling::Plan& plan, const scaling::Task& task) {
  return plan.cases[static_cast<std::size_t>(task.case_index)];
}

ordered_json describe(const scaling::Case& c) {
  ordered_json params = ordered_json::object();
  for (const auto& [name, value] : c.params) std::visit([&, n = name](const auto& v) { params[n] = v; }, value);
  return {{"case", c.id},        {"workload", c.op},       {"kernel", c.kernel},   {"params", params},
          {"ranks", c.ranks},    {"planned", to_text(c.planned)}, {"reason", c.reason}, {"flops", c.cost.flops},
          {"bytes", c.cost.bytes}, {"memory_bytes", c.memory_bytes}, {"sweeps", c.sweeps}};
}

ordered_json summary_of(const scaling::Schedule& schedule) {
  return {{"makespan_s", schedule.makespan_s}, {"lower_bound_s", schedule.lower_bound_s}, {"ratio", schedule.ratio()}};
}

void print_cases(const scaling::Plan& plan) {
  for (const scaling::Case& c : plan.cases)
    std::printf("%s  %-11s %s%s%s\n", c.id.substr(0, 12).c_str(), c.planned == Outcome::ok ? "run" : std::string(to_text(c.planned)).c_str(),
                short_name(c).c_str(), c.reason.empty() ? "" : "  # ", c.reason.c_str());
}

/// What runs where and when, on estimated times.
void print_schedule(const scaling::Plan& plan, const scaling::Schedule& schedule) {
  std::printf("\n%10s %10s  %-9s %-12s visit\n", "start s", "end s", "ranks", "case");
  for (const scaling::Slot& slot : schedule.slots) {
    const scaling::Assignment& a = slot.assignment;
    const std::int64_t last = a.first_rank + a.ranks - 1;
    const std::string ranks = a.ranks == 1 ? std::to_string(last) : concat(a.first_rank, "-", last);
    std::printf("%10.2f %10.2f  %-9s %s %ld\n", slot.start_s, slot.end_s, ranks.c_str(),
                scaling::short_id(case_of(plan, a.task).id).c_str(), static_cast<long>(a.task.visit));
  }
}

/// "16 ranks on 4 nodes"
std::string text_of(const scaling::Machine& machine) {
  const std::int64_t nodes = machine.ranks / machine.ranks_per_node;
  const auto counted = [](std::int64_t count, const char* what) { return concat(count, ' ', what, count == 1 ? "" : "s"); };
  return counted(machine.ranks, "rank") + (nodes == 1 ? "" : " on " + counted(nodes, "node"));
}

void print_text(const Planned& planned) {
  const scaling::Plan& plan = planned.plan;
  const auto levels = scaling::forecast_isolation(plan);
  const scaling::Schedule& schedule = levels.front().schedule;
  print_cases(plan);
  print_schedule(plan, schedule);
  std::printf("\n%-12s %10s %12s %6s\n", "isolation", "makespan", "lower bound", "ratio");
  for (const auto& [level, forecast] : levels)
    std::printf("%-12s %10s %12s %6.2f\n", level.c_str(), format_duration(forecast.makespan_s).c_str(),
                format_duration(forecast.lower_bound_s).c_str(), forecast.ratio());
  const auto measured = std::ranges::count(plan.cases, Outcome::ok, &scaling::Case::planned);
  std::printf("\n%s: %zu cases, %ld to be measured in %zu visits on %s, %s, order %s, about %s (plan %s)\n", planned.study.name.c_str(),
              plan.cases.size(), static_cast<long>(measured), schedule.slots.size(), text_of(plan.machine).c_str(),
              plan.run.placement.c_str(), scaling::order_policy(plan).c_str(), format_duration(schedule.makespan_s).c_str(),
              plan.sha256.substr(0, 12).c_str());
}

ordered_json as_json(const Planned& planned) {
  const scaling::Plan& plan = planned.plan;
  ordered_json cases = ordered_json::array(), slots = ordered_json::array(), isolation = ordered_json::object();
  for (const scaling::Case& c : plan.cases) cases.push_back(describe(c));
  const auto levels = scaling::forecast_isolation(plan);
  for (const auto& [level, schedule] : levels) isolation[level] = summary_of(schedule);
  for (const scaling::Slot& slot : levels.front().schedule.slots) {
    const scaling::Assignment& a = slot.assignment;
    slots.push_back({{"case", case_of(plan, a.task).id}, {"visit", a.task.visit}, {"first_rank", a.first_rank}, {"ranks", a.ranks},
                     {"block", a.block}, {"width", a.width}, {"start_s", slot.start_s}, {"end_s", slot.end_s}});
  }
  ordered_json schedule = summary_of(levels.front().schedule);
  schedule["order"] = scaling::order_policy(plan);
  schedule["placement"] = plan.run.placement;
  schedule["dispatch"] = plan.run.schedule;
  schedule["isolation"] = isolation;
  schedule["slots"] = slots;
  const scaling::Machine& machine = plan.machine;
  return {{"study", planned.study.name}, {"ranks", machine.ranks}, {"nodes", machine.ranks / machine.ranks_per_node},
          {"ranks_per_node", machine.ranks_per_node}, {"plan_sha256", plan.sha256}, {"cases", cases}, {"schedule", schedule}};
}

/// This node with all `started` ranks on it, but for what the command line says of another machine.
scaling::Machine planned_machine(const PlanOptions& other, std::int64_t started) {
  scaling::Machine machine = machine_without_mpi(other.ranks_per_node.value_or(started));
  if (machine.ranks_per_node > kMostPlannedRanks / other.nodes)
    usage_error(concat("--nodes ", other.nodes, " of --ranks-per-node ", machine.ranks_per_node, "; allowed: ", kMostPlannedRanks, " ranks in all"));
  machine.ranks = other.nodes * machine.ranks_per_node;
  if (other.memory_bytes_per_rank)
    machine.memory_bytes_per_node = *other.memory_bytes_per_rank * machine.ranks_per_node;
  return machine;
}

}  // namespace

int plan_verb(const Options& options, std::int64_t ranks) {
  const Planned planned = prepare(options, planned_machine(options.plan, ranks));
  if (options.json)
    std::cout << as_json(planned).dump(2) << '\n';
  else
    print_text(planned);
  return kAllMeasured;
}

}  // namespace bench::cli
