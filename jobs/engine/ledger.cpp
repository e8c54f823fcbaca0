// SPDX-License-Identifier: Apache-2.0
#include "jobs/engine/ledger.hpp"

namespace bench::jobs {

Ledger::Ledger(analysis::RunRecord& run, Journal& journal, const JournalNotes& notes)
    : run_(run), journal_(journal), started_(notes.started), session_(notes.sessions) {
  for (const analysis::VisitRecord& visit : run_.visits) ended_.insert(end_of(visit));
}

void Ledger::retry(const Retry& which) {
  std::erase_if(run_.visits, [&](const analysis::VisitRecord& visit) {
    if (!which.outcomes.contains(visit.outcome)) return false;
    ended_.erase(end_of(visit));
    started_.erase({visit.case_id, visit.visit});
    return true;
  });
}

bool Ledger::ended(analysis::VisitRecord record) {
  if (!ended_.insert(end_of(record)).second) return false;
  started_[{record.case_id, record.visit}].open = false;
  record.session = session_;
  journal_.append(visit_record(record), true);
  run_.visits.push_back(std::move(record));
  return true;
}

void Ledger::started(const Key& key, const StartedVisit& visit) {
  started_[key] = visit;
  journal_.append(start_record(key.first, key.second, visit), false);
}

void Ledger::mark(const std::string& what, const std::string& detail) { journal_.append(mark_record(what, detail), true); }

std::vector<scaling::Task> Ledger::owed(const std::vector<scaling::Task>& tasks, const std::vector<scaling::Case>& cases,
                                        const std::function<bool(const StartedVisit&)>& was_hit) {
  std::map<std::string, std::int64_t> culprits;  // cases, by a visit that ended a process
  for (const analysis::VisitRecord& visit : run_.visits)
    if (visit.ended_process) culprits[visit.case_id] = visit.visit;
  std::vector<scaling::Task> left;
  for (scaling::Task task : tasks) {
    const scaling::Case& c = cases[static_cast<std::size_t>(task.case_index)];
    const Key key{c.id, task.visit};
    if (has_ended(key)) continue;
    if (const auto culprit = culprits.find(c.id); culprit != culprits.end()) {
      ended({.case_id = c.id, .visit = task.visit, .outcome = Outcome::quarantined,
             .reason = concat("visit ", culprit->second, " of this case ended its process; not tried again"), .ranks = c.ranks});
      continue;
    }
    const auto begun = started_.find(key);
    if (begun != started_.end() && begun->second.open) {
      const std::int64_t attempt = begun->second.attempt;
      const bool counts = was_hit(begun->second);
      if (counts && attempt >= kMostAttempts) {
        ended({.case_id = c.id, .visit = task.visit, .attempt = attempt, .outcome = Outcome::quarantined,
               .reason = concat("begun ", attempt, " times and never ended; not tried again"), .ranks = c.ranks});
        continue;
      }
      task.attempt = static_cast<int>(counts ? attempt + 1 : attempt);
    }
    left.push_back(task);
  }
  return left;
}

}  // namespace bench::jobs
