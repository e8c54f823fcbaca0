// SPDX-License-Identifier: Apache-2.0
#include "scaling/plan.hpp"

#include <cstdio>

#include "scaling/estimate.hpp"
#include "scaling/identity.hpp"
#include "scaling/settings.hpp"

namespace bench::scaling {
namespace {

std::string exact(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

void isolate(std::vector<Case>& cases, const std::string& level) {
  if (level == "auto") return;
  for (Case& c : cases) c.isolation = level == "node" ? Isolation::node : Isolation::none;
}

/// Order, blocks and times follow from what is hashed here.
std::string fingerprint(const Plan& plan) {
  const RunSettings& run = plan.run;
  std::string text = concat("plan 4\nmachine ", plan.machine.ranks, ' ', plan.machine.ranks_per_node, '\n');
  for (const IntegerSetting& s : integer_settings()) text += concat(s.name, ' ', run.*s.field, '\n');
  for (const NumberSetting& s : number_settings()) text += concat(s.name, ' ', exact(run.*s.field), '\n');
  for (const ChoiceSetting& s : choice_settings()) text += concat(s.name, ' ', run.*s.field, '\n');
  for (const FlagSetting& s : flag_settings())
    if (run.*s.field) text += concat(s.name, '\n');  // older plans know none
  for (const Case& c : plan.cases)
    text += concat("case ", c.id, ' ', to_text(c.planned), ' ', visits_to(c, run), '\n');
  return sha256_hex(text);
}

}  // namespace

Plan make_plan(const Study& study, std::vector<Case> cases, const Machine& machine) {
  BS_REQUIRE(machine.ranks >= 1 && machine.ranks_per_node >= 1,
             "a machine has at least one rank, and one on every node");
  Plan plan;
  plan.run = study.run;
  plan.machine = machine;
  plan.cases = std::move(cases);
  isolate(plan.cases, plan.run.isolation);
  plan.sha256 = fingerprint(plan);
  return plan;
}

bool is_oversubscribed(const Case& c, const Machine& machine) {
  if (machine.cores_per_node <= 0) return false;  // unknown
  return machine.ranks_per_node * c.threads > machine.cores_per_node;
}

}  // namespace bench::scaling
