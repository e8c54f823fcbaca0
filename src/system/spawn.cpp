// SPDX-License-Identifier: Apache-2.0
#include "src/system/spawn.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/core/error.hpp"

namespace bench::system {

Spawn::Spawn() {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
}

Spawn::~Spawn() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
}

void Spawn::open(int stream, const char* path, int flags) { posix_spawn_file_actions_addopen(&actions_, stream, path, flags, 0644); }

void Spawn::copy(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }

void Spawn::own_group() {
  posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes_, 0);
}

pid_t Spawn::start(const std::vector<std::string>& command) const {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions_, &attributes_, argv.data(), environ);
  if (failed != 0) throw Error(ErrorKind::unavailable, concat("cannot start '", command.front(), "': ", std::strerror(failed)));
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bench::system
