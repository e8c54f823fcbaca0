// SPDX-License-Identifier: Apache-2.0
#include "src/cli/launch_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "src/core/error.hpp"

namespace bench::cli {
namespace {

/// What a new process gets; freed with it.
class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  void open(int stream, const char* path, int flags) { posix_spawn_file_actions_addopen(&actions_, stream, path, flags, 0644); }
  void copy(int from, int to) { posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void own_group() {
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes_, 0);
  }
  pid_t start(const std::vector<std::string>& command) const {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t child = 0;
    const int failed = posix_spawnp(&child, argv[0], &actions_, &attributes_, argv.data(), environ);
    if (failed != 0) throw Error(ErrorKind::unavailable, concat("cannot start '", command.front(), "': ", std::strerror(failed)));
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Of the handler: only what a handler may touch.
constexpr std::time_t kPatience_s = 3;  // a queue's kill sends the same wish twice, to the script and to us: that is one
volatile std::sig_atomic_t g_child = 0;
volatile std::sig_atomic_t g_asked = 0;
volatile std::time_t g_asked_at_s = 0;

void pass_on(int) {
  const int saved = errno;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (g_asked == 0) {
    g_asked_at_s = now.tv_sec;
    if (g_child > 0) ::kill(static_cast<pid_t>(g_child), SIGUSR1);
  } else if (g_child > 0 && now.tv_sec - g_asked_at_s >= kPatience_s) {
    ::kill(static_cast<pid_t>(g_child), SIGTERM);
  }
  g_asked = 1;
  errno = saved;
}

/// Passes signals on for as long as it lives.
class Forwarding {
 public:
  Forwarding() {
    struct sigaction action {};
    action.sa_handler = pass_on;
    sigemptyset(&action.sa_mask);
    for (const int number : kSignals) sigaddset(&action.sa_mask, number);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before_[i]);
  }
  ~Forwarding() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

 private:
  static constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};
  std::array<struct sigaction, 3> before_{};
};

}  // namespace

int run_and_wait(const std::vector<std::string>& command, const std::filesystem::path& log) {
  Spawn spawn;
  spawn.open(STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  spawn.copy(STDOUT_FILENO, STDERR_FILENO);
  return wait_for(spawn.start(command));
}

Ended run_stoppable(const std::vector<std::string>& command) {
  Spawn spawn;
  spawn.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  spawn.own_group();
  g_child = 0;
  g_asked = 0;
  const Forwarding forwarding;
  const pid_t child = spawn.start(command);
  g_child = static_cast<std::sig_atomic_t>(child);
  if (g_asked != 0) ::kill(child, SIGUSR1);  // came while it was being started
  const int code = wait_for(child);
  g_child = 0;
  return {code, g_asked != 0};
}

}  // namespace bench::cli
