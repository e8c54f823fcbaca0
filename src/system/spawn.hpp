// SPDX-License-Identifier: Apache-2.0
// A process of one's own making: what it is given, and how it ended.
#pragma once

#include <spawn.h>
#include <sys/types.h>

#include <string>
#include <vector>

namespace bench::system {

/// What a new process gets; freed with it.
class Spawn {
 public:
  Spawn();
  ~Spawn();
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  void open(int stream, const char* path, int flags);
  void copy(int from, int to);
  /// A process group of its own: signals to ours do not reach it, and it can be ended with all that it starts.
  void own_group();
  /// Found along PATH. Error(unavailable) in words when there is no such program.
  pid_t start(const std::vector<std::string>& command) const;

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// Waits for its end; the exit status, or 128 and the signal's number.
int wait_for(pid_t child);

}  // namespace bench::system
