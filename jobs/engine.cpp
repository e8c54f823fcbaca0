// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine.hpp"

#include "analysis/record_json.hpp"

namespace bench::jobs {
namespace {

constexpr int kRecordTag = 71;

/// World rank of the first rank of a visit's block.
int first_rank(const scaling::Visit& visit) { return static_cast<int>(visit.block * visit.width); }

bool takes_part(const scaling::Visit& visit, const scaling::Case& c, int world_rank) {
  const int first = first_rank(visit);
  return world_rank >= first && world_rank < first + static_cast<int>(c.ranks);
}

}  // namespace

/// Runs this rank's visit of the step, if it has one; the record is complete on the block's first rank.
std::unique_ptr<analysis::VisitRecord> Engine::take_part(const std::vector<scaling::Visit>& step) {
  for (const scaling::Visit& visit : step) {
    const scaling::Case& c = plan_.cases[static_cast<std::size_t>(visit.case_index)];
    if (!takes_part(visit, c, world_.rank())) continue;
    const double begin = clock_();
    const bool shares_cores = scaling::is_oversubscribed(c, machine_);
    auto record = std::make_unique<analysis::VisitRecord>(harness_.visit(c, links_.get(first_rank(visit), static_cast<int>(c.ranks)), shares_cores));
    record->visit = visit.number;
    record->block = visit.block;
    record->start_s = begin - start_s_;
    record->oversubscribed = shares_cores;
    return world_.rank() == first_rank(visit) ? std::move(record) : nullptr;
  }
  return nullptr;
}

/// Brings the step's records to rank 0, in the plan's order, into the journal.
void Engine::collect(const std::vector<scaling::Visit>& step, std::unique_ptr<analysis::VisitRecord> mine, analysis::RunRecord& run,
                     const Listener& listener) {
  if (mine && world_.rank() != 0) world_.send(analysis::to_json(*mine).dump(), 0, kRecordTag);
  if (world_.rank() != 0) return;
  for (const scaling::Visit& visit : step) {
    const scaling::Case& c = plan_.cases[static_cast<std::size_t>(visit.case_index)];
    const int leader = first_rank(visit);
    analysis::VisitRecord record =
        leader == 0 ? std::move(*mine) : analysis::visit_from_json(nlohmann::json::parse(world_.recv(leader, kRecordTag).payload));
    journal_->append(visit_record(record), true);
    run.visits.push_back(std::move(record));
    listener.finished(c, run.visits.back(), ++done_, total_);
  }
}

void Engine::run(analysis::RunRecord& run, const Listener& listener, const std::function<bool()>& stop_requested) {
  start_s_ = clock_();
  for (const auto& step : plan_.steps) total_ += step.size();
  std::exception_ptr failure;
  for (const auto& step : plan_.steps) {
    const double begin = clock_();
    if (world_.rank() == 0) {
      try {
        for (const scaling::Visit& visit : step) {
          const scaling::Case& c = plan_.cases[static_cast<std::size_t>(visit.case_index)];
          journal_->append(start_record(c.id, visit.number, 1), false);
          listener.started(c);
        }
      } catch (...) {
        failure = std::current_exception();
      }
    }
    // One word from rank 0 per step: go on, or leave together. It is also the barrier that keeps steps apart, and idle ranks sleep in it.
    const bool leave = world_.bcast(std::string(failure || stop_requested() ? "leave" : "go"), 0) == "leave";
    if (leave) break;
    overhead_s_ += clock_() - begin;
    auto record = take_part(step);
    world_.sleepy_barrier();
    const double measured = clock_();
    try {
      collect(step, std::move(record), run, listener);
    } catch (...) {
      failure = std::current_exception();  // rank 0 only: told to the others at the next step
    }
    overhead_s_ += clock_() - measured;
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bench::jobs
