// SPDX-License-Identifier: Apache-2.0
#include "scaling/dispatch.hpp"

#include <algorithm>

namespace bench::scaling {
namespace {

constexpr std::int64_t kRoundsAhead = 1;

}  // namespace

Placement placement_of(const RunSettings& run) {
  if (run.placement == "solo") return Placement::solo;
  return run.placement == "replicated" ? Placement::replicated : Placement::packed;
}

Dispatcher::Dispatcher(const Machine& machine, std::vector<Task> tasks, Placement placement)
    : board_(machine), placement_(placement) {
  std::ranges::stable_sort(tasks, {}, &Task::visit);
  std::int64_t position = 0;
  for (const Task& task : tasks) add(task, position++, false);
}

void Dispatcher::add(const Task& task, std::int64_t position, bool retry) {
  const std::int64_t width = block_width(task.ranks, board_.machine());
  Queue& queue = queues_[{width, task.isolation}];
  if (queue.starts.empty()) {
    queue.width = width;
    queue.isolation = task.isolation;
    queue.starts = block_starts(width, board_.machine());
  }
  queue.entries.emplace(position, Entry{task, retry});
  const auto index = static_cast<std::size_t>(task.case_index);
  if (index >= blocks_had_.size()) blocks_had_.resize(index + 1);
  if (!retry) ++round_waiting_[task.visit];
  ++waiting_;
}

void Dispatcher::requeue(const Task& task) {
  add(task, --front_, true);
}

/// The first entry that rules 2 and 3 allow. Skips no more entries than visits are running, but for those of
/// later rounds, which end the search: positions ascend with the rounds.
Dispatcher::Candidate Dispatcher::first_candidate(Queue& queue) {
  const std::int64_t last_round = round_waiting_.empty() ? 0 : round_waiting_.begin()->first + kRoundsAhead;
  for (auto it = queue.entries.begin(); it != queue.entries.end(); ++it) {
    if (!it->second.retry && it->second.task.visit > last_round) break;
    if (!board_.is_running(it->second.task.case_index)) return it;
  }
  return queue.entries.end();
}

std::optional<std::pair<Dispatcher::Queue*, Dispatcher::Candidate>> Dispatcher::best_candidate() {
  std::optional<std::pair<Queue*, Candidate>> best;
  for (auto& [key, queue] : queues_) {
    if (queue.shut) continue;
    const Candidate candidate = first_candidate(queue);
    if (candidate == queue.entries.end()) continue;
    if (!best || candidate->first < best->second->first) best = {&queue, candidate};
  }
  return best;
}

std::optional<std::size_t> Dispatcher::find_block(const Queue& queue, const Task& task) {
  const std::size_t count = queue.starts.size();
  auto& had = blocks_had_[static_cast<std::size_t>(task.case_index)];
  if (had.size() >= count) had.clear();
  std::optional<std::size_t> free;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t block = (static_cast<std::size_t>(task.visit) + i) % count;
    if (!board_.occupancy().is_free(queue.starts[block], queue.width, queue.isolation)) continue;
    if (!free) free = block;
    if (std::ranges::find(had, block) == had.end()) return block;
  }
  return free;
}

bool Dispatcher::start(Queue& queue, const Task& task) {
  if (placement_ == Placement::replicated) {
    for (std::size_t block = 0; block < queue.starts.size(); ++block)
      board_.place(task, queue.starts[block], static_cast<std::int64_t>(block), queue.width);
    return true;
  }
  const auto block = find_block(queue, task);
  if (!block) return false;
  auto& had = blocks_had_[static_cast<std::size_t>(task.case_index)];
  if (std::ranges::find(had, *block) == had.end()) had.push_back(*block);
  board_.place(task, queue.starts[*block], static_cast<std::int64_t>(*block), queue.width);
  return true;
}

void Dispatcher::forget(Queue& queue, Candidate candidate) {
  const Entry& entry = candidate->second;
  if (!entry.retry && --round_waiting_[entry.task.visit] == 0) round_waiting_.erase(entry.task.visit);
  queue.entries.erase(candidate);
  --waiting_;
}

std::vector<Assignment> Dispatcher::start_ready() {
  for (auto& [key, queue] : queues_) queue.shut = false;
  while (!board_.occupancy().is_full()) {
    if (placement_ != Placement::packed && !idle()) break;
    const auto best = best_candidate();
    if (!best) break;
    if (start(*best->first, best->second->second.task))
      forget(*best->first, best->second);
    else
      best->first->shut = true;
  }
  return board_.take_started();
}

}  // namespace bench::scaling
