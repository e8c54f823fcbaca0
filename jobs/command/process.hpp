// SPDX-License-Identifier: Apache-2.0
// A program that answers questions: one JSON object a line goes there, one comes back. Whatever it does, its end is ours to make.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "jobs/clock.hpp"

namespace bench::jobs {

/// A folder of its own under the system's for temporary files (TMPDIR); gone with this.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class Process {
 public:
  /// Starts `command` in a process group of its own; stdin and stdout are this end's, stderr goes to `log`. Error(unavailable) when there is no such program.
  /// It has `seconds` until its end.
  Process(const std::vector<std::string>& command, std::filesystem::path log, const Clock& clock, double seconds);
  /// Kills its group and waits for it.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Its answer. What it says of itself becomes an exception: "unavailable" and "oom" in its words, "error" as Error(internal). So do its end,
  /// Error(internal) with how and its last words, and its time, Error(timeout).
  nlohmann::json ask(const nlohmann::json& request);

 private:
  void send(const std::string& line);
  std::string receive();
  [[noreturn]] void ended();

  Clock clock_;
  double end_s_, seconds_;
  std::filesystem::path log_;
  int socket_ = -1;
  pid_t child_ = 0;
  std::string received_;  // beyond the last whole line
};

}  // namespace bench::jobs
