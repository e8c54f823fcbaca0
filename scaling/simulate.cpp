// SPDX-License-Identifier: Apache-2.0
#include "scaling/simulate.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <queue>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

std::vector<double> times_of(const std::vector<Task>& tasks, std::span<const double> durations_s) {
  BS_REQUIRE(durations_s.empty() || durations_s.size() == tasks.size(), "one duration for each task");
  if (!durations_s.empty()) return {durations_s.begin(), durations_s.end()};
  std::vector<double> times;
  for (const Task& t : tasks) times.push_back(t.estimate_s);
  return times;
}

double largest(const std::map<std::int64_t, double>& sums) {
  double most = 0.0;
  for (const auto& [key, sum] : sums) most = std::max(most, sum);
  return most;
}

/// How many ranks a task keeps from all others, at least.
class Footprint {
 public:
  Footprint(const Machine& machine, Placement placement) : machine_(machine), placement_(placement) {
    std::map<std::int64_t, std::int64_t> sizes;
    for (std::int64_t rank = 0; rank < machine.ranks; ++rank) ++sizes[node_of(rank, machine)];
    for (const auto& [node, size] : sizes) node_sizes_.push_back(size);
    std::ranges::sort(node_sizes_);
  }
  std::int64_t ranks(const Task& task) const {
    if (placement_ != Placement::packed) return machine_.ranks;
    const std::int64_t width = block_width(task.ranks, machine_);
    if (task.isolation != Isolation::node) return width;
    const auto fits = std::ranges::lower_bound(node_sizes_, width);
    if (fits != node_sizes_.end()) return *fits;  // one node, the smallest that holds it
    const std::int64_t nodes = (width + node_sizes_.back() - 1) / node_sizes_.back();
    return std::max(width,
                    std::accumulate(node_sizes_.begin(), node_sizes_.begin() + nodes, std::int64_t{0}));
  }

 private:
  const Machine& machine_;
  Placement placement_;
  std::vector<std::int64_t> node_sizes_;  // ascending
};

/// The visits of one case, which run one after another.
struct Chain {
  std::int64_t kept = 0;  // ranks
  double time_s = 0.0;
};

/// The largest, over chains of at most half the machine, of the chain and all tasks too wide to run beside
/// it; those need more than half and so run one by one.
double longest_exclusion(const std::map<std::int64_t, Chain>& chains, std::int64_t ranks) {
  std::map<std::int64_t, double> wide_s;  // kept ranks above the half: time
  for (const auto& [index, chain] : chains)
    if (2 * chain.kept > ranks) wide_s[chain.kept] += chain.time_s;
  double most = 0.0;
  for (const auto& [kept, sum] : wide_s) most += sum;
  for (const auto& [index, chain] : chains) {
    if (2 * chain.kept > ranks) continue;
    double sum = chain.time_s;
    for (auto it = wide_s.upper_bound(ranks - chain.kept); it != wide_s.end(); ++it) sum += it->second;
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

Schedule simulate(AnyDispatcher& dispatcher, const std::function<double(const Assignment&)>& duration_s) {
  using End = std::pair<double, std::int64_t>;  // time, assignment
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  Schedule schedule;
  double now_s = 0.0;
  for (;;) {
    for (Assignment& a : dispatcher.start_ready()) {
      const double end_s = now_s + duration_s(a);
      ends.emplace(end_s, a.id);
      schedule.slots.push_back({std::move(a), now_s, end_s});
    }
    if (ends.empty()) break;
    now_s = ends.top().first;
    for (; !ends.empty() && ends.top().first == now_s; ends.pop()) dispatcher.finished(ends.top().second);
  }
  BS_REQUIRE(dispatcher.done(), dispatcher.waiting(), " tasks cannot start on an empty machine");
  schedule.makespan_s = now_s;
  return schedule;
}

Schedule simulate(const std::vector<Task>& tasks, const Machine& machine, std::span<const double> durations_s,
                  Placement placement) {
  const std::vector<double> times = times_of(tasks, durations_s);
  std::map<std::pair<std::int64_t, std::int64_t>, double> time_of;
  for (std::size_t i = 0; i < tasks.size(); ++i) time_of[{tasks[i].case_index, tasks[i].visit}] = times[i];
  BS_REQUIRE(time_of.size() == tasks.size(), "a visit stands twice among the tasks");
  Dispatcher dispatcher(machine, tasks, placement);
  Schedule schedule = simulate(dispatcher, [&](const Assignment& a) {
    return time_of.at({a.task.case_index, a.task.visit});
  });
  schedule.lower_bound_s = lower_bound_s(tasks, machine, times, placement);
  return schedule;
}

double lower_bound_s(const std::vector<Task>& tasks, const Machine& machine,
                     std::span<const double> durations_s, Placement placement) {
  const std::vector<double> times = times_of(tasks, durations_s);
  const Footprint footprint(machine, placement);
  double area = 0.0;
  std::map<std::int64_t, Chain> chains;  // by case
  std::map<std::int64_t, double> of_width;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::int64_t kept = footprint.ranks(tasks[i]);
    area += static_cast<double>(kept) * times[i];
    Chain& chain = chains[tasks[i].case_index];
    chain = {.kept = kept, .time_s = chain.time_s + times[i]};
    of_width[block_width(tasks[i].ranks, machine)] += times[i];
  }
  for (auto& [width, sum] : of_width) sum /= static_cast<double>(block_starts(width, machine).size());
  if (placement == Placement::replicated) of_width.clear();  // one task takes all blocks
  return std::max({area / static_cast<double>(machine.ranks), longest_exclusion(chains, machine.ranks),
                   largest(of_width)});
}

}  // namespace bench::scaling
