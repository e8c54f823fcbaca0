// SPDX-License-Identifier: Apache-2.0
#include "scaling/plan.hpp"

#include <algorithm>
#include <cstdio>
#include <list>
#include <map>
#include <optional>

#include "scaling/blocks.hpp"
#include "scaling/identity.hpp"
#include "scaling/order.hpp"

namespace bench::scaling {
namespace {

// How many waiting visits are tried for a gap in a step: enough to fill a large machine, few enough for 10^5
// cases.
constexpr std::size_t kLookAhead = 256;
// The fp64 oracle, filling and allocation, per visit: nominal, for the estimate of the duration only.
constexpr double kVisitOverhead_s = 0.2;

/// The first free block, counted from the one whose turn it is: visits of a case wander over the blocks, so
/// that a slow core or link shows as a difference between blocks and not between cases.
std::optional<std::int64_t> find_block(const Occupancy& step, const std::vector<std::int64_t>& blocks,
                                       std::int64_t width, std::int64_t round, Isolation isolation) {
  const auto turn = static_cast<std::size_t>(round) % blocks.size();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::int64_t block = blocks[(turn + i) % blocks.size()];
    if (step.is_free(width, block, isolation)) return block;
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
    occupancy.take(width, *block, c.isolation);
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

std::string fingerprint(const Plan& plan) {
  const RunSettings& r = plan.run;
  std::string text = concat("plan 3\nrun ", r.warmup, ' ', r.min_samples, ' ', r.max_samples, ' ',
                            exact(r.ci), ' ', exact(r.confidence), ' ', exact(r.min_time), ' ',
                            exact(r.budget), ' ', exact(r.warmup_time), ' ', r.sync, ' ', r.visits, ' ', r.scaling_visits, ' ', r.seed, ' ', r.order, ' ', r.bind, '\n');
  for (const Case& c : plan.cases) text += concat("case ", c.id, ' ', to_text(c.planned), '\n');
  for (const auto& step : plan.steps) {
    text += "step\n";
    for (const Visit& v : step)
      text += concat(plan.cases[static_cast<std::size_t>(v.case_index)].id, ' ', v.number, ' ', v.block, ' ',
                     v.width, '\n');
  }
  return sha256_hex(text);
}

std::int64_t visits_to(const Case& c, const RunSettings& run) {
  return c.scaling.empty() ? run.visits : std::max(run.visits, run.scaling_visits);
}

/// Seconds of one visit: overhead, warm-up and as much timing as the stop rule may ask for.
double visit_s(double call_s, const RunSettings& run) {
  const double fewest = static_cast<double>(run.min_samples) * call_s,
               most = static_cast<double>(run.max_samples) * call_s;
  const double timed =
      std::min({std::max(fewest, run.min_time), std::max(most, run.min_time), std::max(run.budget, call_s)});
  return kVisitOverhead_s + std::max(static_cast<double>(run.warmup + 1) * call_s, run.warmup_time) + timed;
}

}  // namespace

Plan make_plan(const Study& study, std::vector<Case> cases, const Machine& machine) {
  BS_REQUIRE(machine.ranks >= 1 && machine.ranks_per_node >= 1,
             "a machine has at least one rank, and one on every node");
  Plan plan;
  plan.run = study.run;
  plan.cases = std::move(cases);
  Packer packer(machine);
  for (std::int64_t round = 0;; ++round) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < plan.cases.size(); ++i)
      if (plan.cases[i].planned == Outcome::ok && round < visits_to(plan.cases[i], plan.run)) chosen.push_back(i);
    if (chosen.empty()) break;
    const auto order = order_round(plan.cases, chosen, study.run.order, study.run.seed, round);
    std::list<std::size_t> waiting(order.begin(), order.end());
    while (!waiting.empty()) plan.steps.push_back(packer.next_step(waiting, plan.cases, round));
  }
  plan.sha256 = fingerprint(plan);
  return plan;
}

double estimated_duration_s(const Plan& plan) {
  double sum = 0.0;
  for (const auto& step : plan.steps) {
    double longest = 0.0;
    for (const Visit& v : step)
      longest =
          std::max(longest, visit_s(plan.cases[static_cast<std::size_t>(v.case_index)].estimate_s, plan.run));
    sum += longest;
  }
  return sum;
}

bool is_oversubscribed(const Case& c, const Machine& machine) {
  if (machine.cores_per_node <= 0) return false;  // unknown
  return machine.ranks_per_node * c.threads > machine.cores_per_node;
}

}  // namespace bench::scaling
