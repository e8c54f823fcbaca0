// SPDX-License-Identifier: Apache-2.0
// The folder a run leaves: results.h5 journal.jsonl summary.md config.resolved.yaml env.json status.json. Rank 0 only.
#pragma once

#include <filesystem>
#include <string>

namespace bench::cli {

class RunFolder {
 public:
  /// Creates the folder (and its parents). One that cannot be written is a usage error, and one that already holds a journal unless it
  /// `may_hold_run`.
  explicit RunFolder(std::filesystem::path path, bool may_hold_run = false);
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  /// Writes a whole file by temporary name and rename, so that readers never see half of it. Error(io) when it cannot.
  void write(const char* name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// "results/run_20260131T120000Z" from the time now.
std::filesystem::path default_run_folder(const std::string& created_utc);

}  // namespace bench::cli
