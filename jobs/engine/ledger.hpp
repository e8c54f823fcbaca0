// SPDX-License-Identifier: Apache-2.0
// Rank 0's book of a run: what the journal holds, what is still owed. Everything that ends a visit goes through here, once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analysis/record.hpp"
#include "jobs/journal.hpp"
#include "scaling/dispatch.hpp"

namespace bench::jobs {

/// What a resumed run does with visits that did not end well.
struct Retry {
  std::set<Outcome> outcomes;  // these are measured again; their old records stay in the journal and are replaced in the tables
};

class Ledger {
 public:
  using Key = std::pair<std::string, std::int64_t>;  // case id, visit
  static constexpr std::int64_t kMostAttempts = 2;   // then a visit is quarantined

  /// `run` is the record so far (its visits are the journal's), `notes` what the journal says of visits begun.
  Ledger(analysis::RunRecord& run, Journal& journal, const JournalNotes& notes);

  /// Drops the records of these outcomes, so that their visits are owed again.
  void retry(const Retry& which);
  bool has_ended(const Key& key) const { return ended_.contains({key, 0}); }
  /// A record of a visit that ended before, as a leader may send it twice, is ignored: false.
  bool ended(analysis::VisitRecord record);
  void started(const Key& key, const StartedVisit& visit);
  void mark(const std::string& what, const std::string& detail);

  /// Of `tasks`, those still owed, each with the number of its next attempt. A visit that was begun and never ended counts as an attempt;
  /// `was_hit` says whether the block it ran on is to blame (a death elsewhere is not). One that used up its attempts is quarantined here, and so
  /// is every one of a case of which a visit ended its process.
  std::vector<scaling::Task> owed(const std::vector<scaling::Task>& tasks, const std::vector<scaling::Case>& cases,
                                  const std::function<bool(const StartedVisit&)>& was_hit);

  analysis::RunRecord& run() { return run_; }
  std::int64_t session() const { return session_; }
  double journal_s() const { return journal_.seconds_spent(); }

 private:
  analysis::RunRecord& run_;
  Journal& journal_;
  std::map<Key, StartedVisit> started_;
  std::set<std::pair<Key, std::int64_t>> ended_;  // with the block: a replicated visit ends once on each
  std::int64_t session_;
};

}  // namespace bench::jobs
