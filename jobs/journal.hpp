// SPDX-License-Identifier: Apache-2.0
// The journal: an append-only file of JSON lines, one record a line, each with its length and CRC-32. It is the truth of a run: the
// HDF5 file is made from it, and a run that was killed has everything up to its last record.
//
//   {"len":57,"crc32":"1c291ca3","record":{"kind":"visit", ...}}
//
// Kinds: plan (cases, settings, sha256), env (provenance and its identity), limits (measured rates), start (before a visit), visit (after it),
// telemetry (readings since the last one), mark (resumed, rebuilt after a death, stopped, done).
// `start`, and everything that ends a case, is on the disk (fsync) before the run goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "analysis/record.hpp"

namespace bench::jobs {

class Journal {
 public:
  /// Opens for appending, behind the first `keep_bytes` (what load_journal could use of a file that is continued; 0: a new file). Error(usage)
  /// when it cannot be opened.
  explicit Journal(const std::filesystem::path& path, std::int64_t keep_bytes = 0);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Appends one record and, with `durable`, fsyncs. A full disk or a failed write is Error(io) that names the file and the cause; what was
  /// appended before stays valid.
  void append(const nlohmann::json& record, bool durable);
  double seconds_spent() const { return seconds_spent_; }

 private:
  std::string path_;
  int file_ = -1;
  double seconds_spent_ = 0.0;
};

/// The file as it is. Error(io) when it cannot be read.
std::string journal_bytes(const std::filesystem::path& path);

/// A visit that was begun. `open`: nothing was heard of it any more.
struct StartedVisit {
  std::int64_t attempt = 1;  // the last one
  std::int64_t first_rank = 0, ranks = 1;
  bool open = true;
};

/// What ends once: a visit of a case, and of a replicated one each block's. (case id, visit), block or 0.
std::pair<std::pair<std::string, std::int64_t>, std::int64_t> end_of(const analysis::VisitRecord& visit);

/// What a journal holds besides the results.
struct JournalNotes {
  std::int64_t torn_bytes = 0;  // an unfinished last line: dropped, as a crash leaves it
  std::map<std::pair<std::string, std::int64_t>, StartedVisit> started;  // by case id and visit
  std::int64_t sessions = 1;    // starts of the program, or of its ranks after a death
  std::string last_mark;        // what the last mark said; empty: none
};

/// Reads a journal back into a run. A bad checksum or a malformed record before the end is Error(io) with the line's number.
analysis::RunRecord load_journal(const std::filesystem::path& path, JournalNotes* notes = nullptr);
/// The same of a journal's bytes, as a results.h5 carries them; `name` stands for the file in messages.
analysis::RunRecord parse_journal(std::string bytes, const std::string& name, JournalNotes* notes = nullptr);

nlohmann::json plan_record(const analysis::RunRecord& run);
nlohmann::json environment_record(const analysis::RunRecord& run);
nlohmann::json limits_record(const analysis::Width& width, const analysis::Limits& limits);
nlohmann::json start_record(const std::string& case_id, std::int64_t visit, const StartedVisit& started);
/// `what`: resumed | rebuilt | stopped | done; `detail` in words.
nlohmann::json mark_record(const std::string& what, const std::string& detail);
nlohmann::json telemetry_record(const std::vector<analysis::TimedTelemetry>& readings);
nlohmann::json visit_record(const analysis::VisitRecord& visit);

}  // namespace bench::jobs
