// SPDX-License-Identifier: Apache-2.0
#include "scaling/tasks.hpp"

#include <algorithm>

#include "scaling/blocks.hpp"
#include "scaling/estimate.hpp"
#include "scaling/order.hpp"

namespace bench::scaling {
namespace {

bool can_run_side_by_side(const Plan& plan) {
  if (node_of(plan.machine.ranks - 1, plan.machine) > 0) return true;
  if (plan.machine.ranks == 1) return false;
  return std::ranges::any_of(
      plan.cases, [](const Case& c) { return c.planned == Outcome::ok && c.isolation == Isolation::none; });
}

void longest_first(const Plan& plan, std::vector<std::size_t>& order) {
  std::vector<double> time_s;
  for (const Case& c : plan.cases) time_s.push_back(visit_estimate_s(c, plan.run));
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    if (time_s[a] != time_s[b]) return time_s[a] > time_s[b];
    return plan.cases[a].ranks > plan.cases[b].ranks;
  });
}

}  // namespace

std::string order_policy(const Plan& plan) {
  if (plan.run.order != "auto") return plan.run.order;
  return can_run_side_by_side(plan) ? "longest" : "shuffle";
}

std::vector<std::size_t> round_order(const Plan& plan, std::int64_t round) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < plan.cases.size(); ++i)
    if (plan.cases[i].planned == Outcome::ok && round < visits_to(plan.cases[i], plan.run))
      chosen.push_back(i);
  const std::string policy = order_policy(plan);
  const bool longest = policy == "longest";
  auto order = order_round(plan.cases, chosen, longest ? "shuffle" : policy, plan.run.seed, round);
  if (longest) longest_first(plan, order);
  return order;
}

std::vector<Task> make_tasks(const Plan& plan) {
  std::vector<Task> tasks;
  for (std::int64_t round = 0;; ++round) {
    const auto order = round_order(plan, round);
    if (order.empty()) return tasks;
    for (const std::size_t i : order) {
      const Case& c = plan.cases[i];
      tasks.push_back({.case_index = static_cast<std::int64_t>(i),
                       .visit = round,
                       .estimate_s = visit_estimate_s(c, plan.run),
                       .ranks = c.ranks,
                       .isolation = c.isolation});
    }
  }
}

std::vector<Task> take_too_wide(std::vector<Task>& tasks, const Machine& machine) {
  const auto rest =
      std::ranges::stable_partition(tasks, [&](const Task& t) { return t.ranks <= machine.ranks; });
  std::vector<Task> taken(rest.begin(), rest.end());
  tasks.erase(rest.begin(), rest.end());
  return taken;
}

}  // namespace bench::scaling
