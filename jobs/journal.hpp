// SPDX-License-Identifier: Apache-2.0
// The journal: an append-only file of JSON lines, one record a line, each with its length and CRC-32. It is the truth of a run: the
// HDF5 file is made from it, and a run that was killed has everything up to its last record.
//
//   {"len":57,"crc32":"1c291ca3","record":{"kind":"visit", ...}}
//
// Kinds: plan (cases, settings, sha256), env (provenance), limits (measured rates), start (before a visit), visit (after it), telemetry (readings
// since the last one).
// `start`, and everything that ends a case, is on the disk (fsync) before the run goes on.
#pragma once

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "analysis/record.hpp"

namespace bench::jobs {

class Journal {
 public:
  /// Opens for appending; the file must not exist yet. Error(usage) when it cannot be created.
  explicit Journal(const std::filesystem::path& path);
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

/// What load_journal could not use.
struct JournalNotes {
  std::int64_t torn_bytes = 0;  // an unfinished last line: dropped, as a crash leaves it
};

/// Reads a journal back into a run. A bad checksum or a malformed record before the end is Error(io) with the line's number.
analysis::RunRecord load_journal(const std::filesystem::path& path, JournalNotes* notes = nullptr);

nlohmann::json plan_record(const analysis::RunRecord& run);
nlohmann::json environment_record(const analysis::RunRecord& run);
nlohmann::json limits_record(std::int64_t width, const analysis::Limits& limits);
nlohmann::json start_record(const std::string& case_id, std::int64_t visit, std::int64_t attempt);
nlohmann::json telemetry_record(const std::vector<analysis::TimedTelemetry>& readings);
nlohmann::json visit_record(const analysis::VisitRecord& visit);

}  // namespace bench::jobs
