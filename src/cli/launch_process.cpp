// SPDX-License-Identifier: Apache-2.0
#include "src/cli/launch_process.hpp"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "src/system/spawn.hpp"

namespace bench::cli {
namespace {

using system::Spawn;
using system::wait_for;

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
