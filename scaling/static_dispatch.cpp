// SPDX-License-Identifier: Apache-2.0
#include "scaling/static_dispatch.hpp"

#include <algorithm>
#include <utility>

#include "src/core/error.hpp"

namespace bench::scaling {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

bool same_visit(const Task& a, const Task& b) {
  return a.case_index == b.case_index && a.visit == b.visit && a.attempt == b.attempt;
}

}  // namespace

/// Finds whom each step has to wait for, going through them in their order.
class StaticDispatcher::Linker {
 public:
  Linker(std::vector<Step>& steps, const Occupancy& map, std::int64_t ranks, Placement placement)
      : steps_(steps),
        map_(map),
        placement_(placement),
        last_on_rank_(static_cast<std::size_t>(ranks), kNone),
        nodes_(static_cast<std::size_t>(map.nodes())) {}

  void link(std::size_t index) {
    if (placement_ != Placement::packed) {
      if (index > 0) follow(index - 1, index);
      return;
    }
    const Assignment& a = steps_[index].parts.front();
    for (std::int64_t r = a.first_rank; r < a.first_rank + a.width; ++r)
      follow(std::exchange(last_on_rank_[static_cast<std::size_t>(r)], index), index);
    const std::int64_t last = map_.node(a.first_rank + a.width - 1);
    for (std::int64_t node = map_.node(a.first_rank); node <= last; ++node)
      share(nodes_[static_cast<std::size_t>(node)], index, a.task.isolation == Isolation::node);
    const auto [it, fresh] = last_of_case_.try_emplace(a.task.case_index, index);
    if (!fresh) follow(std::exchange(it->second, index), index);
  }

 private:
  struct Node {
    std::size_t isolated = kNone;     // the last isolated step here
    std::vector<std::size_t> guests;  // those that came after it
  };

  void follow(std::size_t earlier, std::size_t later) {
    if (earlier == kNone) return;
    steps_[earlier].followers.push_back(later);
    ++steps_[later].awaited;
  }
  /// Guests wait for the isolated one before them; an isolated one waits for all guests, or for the isolated
  /// one before it when there were none.
  void share(Node& node, std::size_t index, bool isolated) {
    if (!isolated || node.guests.empty()) follow(node.isolated, index);
    if (!isolated) return node.guests.push_back(index);
    for (const std::size_t guest : node.guests) follow(guest, index);
    node = {.isolated = index, .guests = {}};
  }

  std::vector<Step>& steps_;
  const Occupancy& map_;
  Placement placement_;
  std::vector<std::size_t> last_on_rank_;
  std::vector<Node> nodes_;
  std::map<std::int64_t, std::size_t> last_of_case_;
};

StaticDispatcher::StaticDispatcher(const Machine& machine, const Schedule& schedule, Placement placement)
    : board_(machine), placement_(placement) {
  for (const Slot& slot : schedule.slots) {
    const bool replica = placement == Placement::replicated && !steps_.empty() &&
                         same_visit(steps_.back().parts.front().task, slot.assignment.task);
    if (!replica) steps_.emplace_back();
    steps_.back().parts.push_back(slot.assignment);
  }
  Linker linker(steps_, board_.occupancy(), machine.ranks, placement);
  for (std::size_t i = 0; i < steps_.size(); ++i) linker.link(i);
  for (std::size_t i = 0; i < steps_.size(); ++i)
    if (steps_[i].awaited == 0) ready_.insert(i);
  waiting_ = unfinished_ = steps_.size();
}

void StaticDispatcher::place(Step& step, std::size_t index) {
  for (const Assignment& a : step.parts) {
    board_.place(a.task, a.first_rank, a.block, a.width);
    step_of_[next_id_++] = index;
  }
  step.running_parts = step.parts.size();
  --waiting_;
}

StaticDispatcher::Step StaticDispatcher::retry_step(const Task& task) const {
  const std::int64_t width = block_width(task.ranks, board_.machine());
  const auto starts = block_starts(width, board_.machine());
  const std::size_t parts = placement_ == Placement::replicated ? starts.size() : 1;
  Step step;
  for (std::size_t k = 0; k < parts; ++k) {
    step.parts.push_back({.task = task,
                          .first_rank = starts[k],
                          .ranks = task.ranks,
                          .block = static_cast<std::int64_t>(k),
                          .width = width,
                          .neighbours = {}});
  }
  return step;
}

std::vector<Assignment> StaticDispatcher::start_ready() {
  for (const std::size_t index : ready_) place(steps_[index], index);
  ready_.clear();
  if (unfinished_ == 0 && !retries_.empty()) {
    steps_.push_back(retry_step(retries_.front()));
    retries_.pop_front();
    ++unfinished_;
    place(steps_.back(), steps_.size() - 1);
  }
  return board_.take_started();
}

void StaticDispatcher::finished(std::int64_t assignment_id) {
  board_.release(assignment_id);
  const auto it = step_of_.find(assignment_id);
  Step& step = steps_[it->second];
  step_of_.erase(it);
  if (--step.running_parts > 0) return;
  --unfinished_;
  for (const std::size_t follower : step.followers)
    if (--steps_[follower].awaited == 0) ready_.insert(follower);
}

void StaticDispatcher::requeue(const Task& task) {
  BS_REQUIRE(task.ranks <= board_.machine().ranks, "a retry needs ", task.ranks, " ranks");
  retries_.push_back(task);
  ++waiting_;
}

std::unique_ptr<AnyDispatcher> make_dispatcher(const RunSettings& run, const Machine& machine,
                                               const std::vector<Task>& tasks) {
  const Placement placement = placement_of(run);
  if (run.schedule == "static")
    return std::make_unique<StaticDispatcher>(machine, simulate(tasks, machine, {}, placement), placement);
  return std::make_unique<Dispatcher>(machine, tasks, placement);
}

}  // namespace bench::scaling
