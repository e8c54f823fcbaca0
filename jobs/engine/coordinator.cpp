// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/coordinator.hpp"

#include <algorithm>

#include "jobs/engine/worker.hpp"

namespace bench::jobs {
namespace {

constexpr double kLeastLimit_s = 60.0;   // estimates come from nominal rates: a slow machine is not a hang
constexpr double kLimitFactor = 10.0;
constexpr double kDeadlineMargin_s = 5.0;  // for the tables and the last store
constexpr std::chrono::microseconds kShortNap{1000}, kLongNap{50000};

bool breaks_link(Outcome outcome) { return outcome == Outcome::timeout || outcome == Outcome::comm_error; }

}  // namespace

void Coordinator::book(const scaling::Assignment& assignment, analysis::VisitRecord record) {
  const scaling::Case& c = case_of(assignment);
  if (breaks_link(record.outcome)) ++generation_[{assignment.first_rank, assignment.ranks}];
  if (!ledger_.ended(record)) return;
  listener_.finished(c, ledger_.run().visits.back(), ++done_, total_);
  if (!record.ended_process || ending_) return;
  ending_ = true;
  if (listener_.lost) listener_.lost(ledger_.run().visits.back());
}

void Coordinator::take_reports() {
  while (auto text = control_.next_report()) {
    Report report = parse_report(*text);
    const auto it = running_.find(report.assignment);
    if (it == running_.end()) continue;  // it had been given up
    const Running running = it->second;
    const bool broken = breaks_link(report.record.outcome);
    it->second.over = true;
    if (!broken) {  // else a rank of the block may still hang: it gets its grace before the block is used again
      dispatcher_.finished(report.assignment);
      running_.erase(it);
    }
    // Last, as the journal may refuse: by then the visit no longer counts as running.
    if (!running.over && !given_up_) book(running.assignment, std::move(report.record));
  }
}

/// A rank that waits for a message gives up by itself at the limit; one that computes for ever does not. After the grace the visit is a
/// row; after two the rank's own watchdog has ended it, and the block is free (or a death was noticed).
void Coordinator::end_what_hangs() {
  const double now = clock_();
  for (auto it = running_.begin(); it != running_.end();) {
    Running& running = it->second;
    const double late_s = now - running.start_s - running.limit_s, grace = grace_s(running.limit_s);
    if (!running.over && late_s > grace) {
      const scaling::Case& c = case_of(running.assignment);
      running.over = true;
      const bool here = running.assignment.first_rank == 0;
      const bool last = !settings_.survives_deaths || (here && control_.size() == 1);
      book(running.assignment, {.case_id = c.id, .visit = running.assignment.task.visit, .attempt = running.assignment.task.attempt,
                     .outcome = Outcome::timeout, .reason = concat("nothing was heard of it for ", running.limit_s, " s"),
                     .ranks = c.ranks, .block = running.assignment.block, .first_rank = running.assignment.first_rank, .placement = settings_.placement,
                     .ended_process = last});
      if (last) listener_.hung();
    }
    if (running.over && late_s > 3.0 * grace) {
      dispatcher_.finished(it->first);
      it = running_.erase(it);
    } else {
      ++it;
    }
  }
}

bool Coordinator::fits(const scaling::Assignment& assignment) const {
  return assignment.task.estimate_s + kDeadlineMargin_s < settings_.time_left_s();
}

void Coordinator::begin(const scaling::Assignment& assignment) {
  const scaling::Case& c = case_of(assignment);
  ledger_.started({c.id, assignment.task.visit}, {assignment.task.attempt, assignment.first_rank, assignment.ranks, true});
  listener_.started(c);
  Order order{.assignment = assignment.id, .case_index = assignment.task.case_index, .visit = assignment.task.visit,
              .attempt = assignment.task.attempt, .first_rank = assignment.first_rank, .ranks = assignment.ranks, .block = assignment.block,
              .generation = generation_[{assignment.first_rank, assignment.ranks}], .placement = settings_.placement};
  order.limit_s = settings_.timeout_s > 0.0 ? settings_.timeout_s : std::max(kLimitFactor * assignment.task.estimate_s, kLeastLimit_s);
  for (const std::int64_t neighbour : assignment.neighbours) order.neighbours.push_back(plan_.cases[static_cast<std::size_t>(neighbour)].id);
  running_[assignment.id] = {assignment, clock_(), order.limit_s, false};
  const std::string text = to_text(order);
  for (std::int64_t r = 0; r < assignment.ranks; ++r) control_.order(static_cast<int>(assignment.first_rank + r), text);
}

void Coordinator::hand_out() {
  if (stopping()) return;
  // What does not fit into the time left is passed over; what is shorter may still fit.
  for (bool again = true; again;) {
    again = false;
    for (const scaling::Assignment& assignment : dispatcher_.start_ready()) {
      if (fits(assignment)) {
        begin(assignment);
      } else {
        dispatcher_.finished(assignment.id);
        again = true;
      }
    }
  }
}

bool Coordinator::step() {
  const double begin = clock_();
  take_reports();
  if (!given_up_) {
    end_what_hangs();
    hand_out();
  } else {
    std::erase_if(running_, [](const auto& entry) { return entry.second.over; });
  }
  overhead_s_ += clock_() - begin;
  if (!running_.empty()) return false;
  if (!given_up_ && !stopping() && !dispatcher_.done()) return false;
  dismiss();
  return true;
}

void Coordinator::dismiss() {
  const std::string leave = to_text(Order{.leave = true});
  for (int r = 0; r < control_.size(); ++r) control_.order(r, leave);
}

std::chrono::microseconds Coordinator::nap() const {
  const bool only_here = std::ranges::all_of(running_, [](const auto& entry) { return entry.second.assignment.first_rank == 0; });
  return only_here ? kLongNap : kShortNap;
}

}  // namespace bench::jobs
