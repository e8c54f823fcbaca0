// SPDX-License-Identifier: Apache-2.0
#include "scaling/board.hpp"

#include <algorithm>

#include "src/core/error.hpp"

namespace bench::scaling {

Board::Board(const Machine& machine)
    : machine_(machine), occupancy_(machine), on_node_(static_cast<std::size_t>(occupancy_.nodes())) {}

bool Board::is_running(std::int64_t case_index) const {
  const auto i = static_cast<std::size_t>(case_index);
  return i < running_of_case_.size() && running_of_case_[i] > 0;
}

void Board::place(const Task& task, std::int64_t first_rank, std::int64_t block, std::int64_t width) {
  occupancy_.take(first_rank, width, task.isolation);
  const auto i = static_cast<std::size_t>(task.case_index);
  if (i >= running_of_case_.size()) running_of_case_.resize(i + 1, 0);
  ++running_of_case_[i];
  running_.push_back({.id = next_id_++,
                      .task = task,
                      .first_rank = first_rank,
                      .ranks = task.ranks,
                      .block = block,
                      .width = width,
                      .neighbours = {}});
  const std::int64_t last = occupancy_.node(first_rank + task.ranks - 1);
  for (std::int64_t node = occupancy_.node(first_rank); node <= last; ++node)
    on_node_[static_cast<std::size_t>(node)].push_back(task.case_index);
}

std::vector<std::int64_t> Board::neighbours_of(const Assignment& one) const {
  std::vector<std::int64_t> cases;
  const std::int64_t last = occupancy_.node(one.first_rank + one.ranks - 1);
  for (std::int64_t node = occupancy_.node(one.first_rank); node <= last; ++node) {
    auto here = on_node_[static_cast<std::size_t>(node)];
    here.erase(std::ranges::find(here, one.task.case_index));  // itself, once: a replica stays
    cases.insert(cases.end(), here.begin(), here.end());
  }
  std::ranges::sort(cases);
  const auto twice = std::ranges::unique(cases);
  cases.erase(twice.begin(), twice.end());
  return cases;
}

std::vector<Assignment> Board::take_started() {
  std::vector<Assignment> started;
  for (Assignment& one : running_) {
    if (one.id < first_new_) continue;
    one.neighbours = neighbours_of(one);
    started.push_back(one);
  }
  first_new_ = next_id_;
  return started;
}

void Board::release(std::int64_t assignment_id) {
  const auto it = std::ranges::find(running_, assignment_id, &Assignment::id);
  BS_REQUIRE(it != running_.end(), "assignment ", assignment_id, " is not running");
  occupancy_.release(it->first_rank, it->width, it->task.isolation);
  --running_of_case_[static_cast<std::size_t>(it->task.case_index)];
  const std::int64_t last = occupancy_.node(it->first_rank + it->ranks - 1);
  for (std::int64_t node = occupancy_.node(it->first_rank); node <= last; ++node) {
    auto& here = on_node_[static_cast<std::size_t>(node)];
    here.erase(std::ranges::find(here, it->task.case_index));
  }
  running_.erase(it);
}

}  // namespace bench::scaling
