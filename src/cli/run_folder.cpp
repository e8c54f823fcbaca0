// SPDX-License-Identifier: Apache-2.0
#include "src/cli/run_folder.hpp"

#include <unistd.h>

#include <fstream>
#include <system_error>

#include "src/core/error.hpp"

namespace bench::cli {

namespace fs = std::filesystem;

RunFolder::RunFolder(fs::path path, bool may_hold_run) : path_(std::move(path)) {
  std::error_code code;
  fs::create_directories(path_, code);
  if (code) usage_error(concat("--output-dir '", path_.string(), "' cannot be made: ", code.message()));
  if (!may_hold_run && fs::exists(path_ / "journal.jsonl", code))
    usage_error(concat("--output-dir '", path_.string(), "' already holds a run (journal.jsonl); continue it with --resume, or give another folder"));
  if (::access(path_.c_str(), W_OK) != 0) usage_error(concat("--output-dir '", path_.string(), "' is not writable"));
}

void RunFolder::write(const char* name, const std::string& text) const {
  const fs::path target = path_ / name;
  fs::path temporary = target;
  temporary += ".tmp";
  std::ofstream out(temporary, std::ios::binary);
  out << text;
  out.close();
  std::error_code code;
  if (out) fs::rename(temporary, target, code);
  if (!out || code) throw Error(ErrorKind::io, concat("cannot write '", target.string(), "'", code ? ": " + code.message() : std::string()));
}

fs::path default_run_folder(const std::string& created_utc) {
  std::string stamp;
  for (const char c : created_utc)
    if (c != '-' && c != ':') stamp += c;
  return fs::path("results") / ("run_" + stamp);
}

}  // namespace bench::cli
