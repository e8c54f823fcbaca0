// SPDX-License-Identifier: Apache-2.0
#include "scaling/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <list>
#include <map>
#include <optional>

#include "scaling/blocks.hpp"
#include "scaling/estimate.hpp"
#include "scaling/identity.hpp"
#include "scaling/settings.hpp"
#include "scaling/tasks.hpp"

namespace bench::scaling {
namespace {

// How many waiting visits are tried for a gap in a step: enough to fill a large machine, few enough for 10^5
// cases.
constexpr std::size_t kLookAhead = 256;

/// The first free block, counted from the one whose turn it is: visits of a case wander over the blocks, so
/// that a slow core or link shows as a difference between blocks and not between cases.
std::optional<std::int64_t> find_block(const Occupancy& step, const std::vector<std::int64_t>& blocks,
                                       std::int64_t width, std::int64_t round, Isolation isolation) {
  const auto turn = static_cast<std::size_t>(round) % blocks.size();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::int64_t block = blocks[(turn + i) % blocks.size()];
    if (step.is_free(block * width, width, isolation)) return block;
  }
  return std::nullopt;
}

/// A machine with its blocks by width, worked out once.
class Packer {
 public:
  explicit Packer(const Machine& machine) : machine_(machine) {}
  /// Takes from `waiting` what fits beside its first visit. Never empty: the first one meets an empty
  /// machine.
  std::vector<Visit> next_step(std::list<std::size_t>& waiting, const std::vector<Case>& cases,
                               std::int64_t round);

 private:
  const std::vector<std::int64_t>& blocks_of(std::int64_t width) {
    auto& blocks = blocks_[width];
    if (blocks.empty()) blocks = usable_blocks(width, machine_);
    return blocks;
  }
  Machine machine_;
  std::map<std::int64_t, std::vector<std::int64_t>> blocks_;
};

std::vector<Visit> Packer::next_step(std::list<std::size_t>& waiting, const std::vector<Case>& cases,
                                     std::int64_t round) {
  std::vector<Visit> step;
  Occupancy occupancy(machine_);
  std::size_t tried = 0;
  for (auto it = waiting.begin(); it != waiting.end() && tried < kLookAhead && !occupancy.is_full();
       ++tried) {
    const Case& c = cases[*it];
    const std::int64_t width = block_width(c.ranks, machine_);
    const auto block = find_block(occupancy, blocks_of(width), width, round, c.isolation);
    if (!block) {
      ++it;
      continue;
    }
    occupancy.take(*block * width, width, c.isolation);
    step.push_back(
        {.case_index = static_cast<std::int64_t>(*it), .number = round, .block = *block, .width = width});
    it = waiting.erase(it);
  }
  return step;
}

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
  for (const Case& c : plan.cases) text += concat("case ", c.id, ' ', to_text(c.planned), ' ', visits_to(c, run), '\n');
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
  Packer packer(machine);
  for (std::int64_t round = 0;; ++round) {
    const auto order = round_order(plan, round);
    if (order.empty()) break;
    std::list<std::size_t> waiting(order.begin(), order.end());
    while (!waiting.empty()) plan.steps.push_back(packer.next_step(waiting, plan.cases, round));
  }
  plan.sha256 = fingerprint(plan);
  return plan;
}

bool is_oversubscribed(const Case& c, const Machine& machine) {
  if (machine.cores_per_node <= 0) return false;  // unknown
  return machine.ranks_per_node * c.threads > machine.cores_per_node;
}

}  // namespace bench::scaling
