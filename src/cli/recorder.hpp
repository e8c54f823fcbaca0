// SPDX-License-Identifier: Apache-2.0
// Everything rank 0 keeps while a run is on: the folder, the journal, the record that the tables are made from. A run that is continued,
// after a stop or by another rank after rank 0 died, is read back from its journal.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "analysis/record.hpp"
#include "jobs/clock.hpp"
#include "jobs/journal.hpp"
#include "src/cli/options.hpp"
#include "src/cli/run_folder.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {

class Recorder {
 public:
  /// Continues `folder` when it holds a journal and `how` allows it, else starts it. Errors: usage when the folder cannot be used, or holds
  /// a run of another plan or environment.
  enum class How {
    fresh,    // the folder must be new
    resume,   // continue it if there is something: the user asked
    rebuilt,  // continue it: ranks died meanwhile
  };
  Recorder(const Options& options, const Planned& prepared, const std::filesystem::path& folder, const std::string& created_utc, How how,
           jobs::Clock clock);

  analysis::RunRecord& run() { return run_; }
  jobs::Journal& journal() { return *journal_; }
  const jobs::JournalNotes& notes() const { return notes_; }
  const RunFolder& folder() const { return folder_; }
  bool continued() const { return continued_; }
  double store_s() const { return store_s_; }

  /// Measured before and after the visits: the better of the two is the limit, since a neighbour can only take away.
  void add_limits(const analysis::Width& width, const analysis::Limits& limits);
  void add_telemetry(const std::vector<analysis::TimedTelemetry>& readings);
  /// Makes results.h5 from what the journal holds.
  void store();
  void store_now_and_then();
  void status(const char* state, std::size_t done, std::size_t total, double left_s);

 private:
  void start(const Planned& prepared);
  void go_on(const Options& options, const Planned& prepared, How how);

  RunFolder folder_;
  jobs::Clock clock_;
  analysis::RunRecord run_;
  jobs::JournalNotes notes_;
  std::unique_ptr<jobs::Journal> journal_;
  bool continued_ = false;
  double last_store_s_, store_s_ = 0.0;
};

}  // namespace bench::cli
