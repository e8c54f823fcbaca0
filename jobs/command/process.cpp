// SPDX-License-Identifier: Apache-2.0
#include "jobs/command/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/core/error.hpp"
#include "src/core/out_of_memory.hpp"
#include "src/system/spawn.hpp"

namespace bench::jobs {
namespace {

constexpr double kLook_s = 1.0;  // a wait is cut into pieces of this length

/// The last line of a log that says anything.
std::string last_words(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  constexpr std::size_t kMost = 300;
  return last.substr(0, kMost);
}

std::string end_of(int status) {
  if (status > 128) return concat("by signal ", status - 128, " (", strsignal(status - 128), ")");
  return concat("with status ", status);
}

}  // namespace

Scratch::Scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "bench_scale_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw Error(ErrorKind::io, concat("no folder for temporary files, ", name, ": ", std::strerror(errno)));
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code code;
  std::filesystem::remove_all(path_, code);
}

Process::Process(const std::vector<std::string>& command, std::filesystem::path log, const Clock& clock, double seconds)
    : clock_(clock), end_s_(clock_() + seconds), seconds_(seconds), log_(std::move(log)) {
  std::array<int, 2> ends{};
  // A socket, as a pipe whose reader is gone raises a signal.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw Error(ErrorKind::internal, concat("no socket: ", std::strerror(errno)));
  socket_ = ends[0];
  system::Spawn spawn;
  spawn.copy(ends[1], STDIN_FILENO);
  spawn.copy(ends[1], STDOUT_FILENO);
  spawn.open(STDERR_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  spawn.own_group();
  try {
    child_ = spawn.start(command);
  } catch (...) {
    close(ends[0]);
    close(ends[1]);
    throw;
  }
  close(ends[1]);
}

Process::~Process() {
  if (child_ > 0) {
    kill(-child_, SIGKILL);
    system::wait_for(child_);
  }
  close(socket_);
}

void Process::ended() {
  kill(-child_, SIGKILL);  // it closed its end, which may be without its own end
  const int status = system::wait_for(child_);
  child_ = 0;
  const std::string words = last_words(log_);
  throw Error(ErrorKind::internal, concat("the program that runs it ended ", end_of(status), words.empty() ? "" : "; its last words: ", words));
}

void Process::send(const std::string& line) {
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t more = ::send(socket_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) ended();
    sent += static_cast<std::size_t>(more);
  }
}

/// The next line.
std::string Process::receive() {
  for (;;) {
    if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
      const std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    const double left = end_s_ - clock_();
    if (left <= 0.0) throw Error(ErrorKind::timeout, concat("the program that runs it did not answer within the visit's ", seconds_, " s and was killed"));
    pollfd waiting{.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 1 + static_cast<int>(1e3 * std::min(left, kLook_s))) <= 0) continue;
    std::array<char, 4096> piece{};
    const ssize_t got = recv(socket_, piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) ended();
    received_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

nlohmann::json Process::ask(const nlohmann::json& request) {
  send(request.dump() + "\n");
  const std::string line = receive();
  nlohmann::json answer = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) throw Error(ErrorKind::internal, concat("the program that runs it answered no JSON object: ", line.substr(0, 100)));
  const auto said = [&](const char* key) { return answer.contains(key) ? answer[key].get<std::string>() : std::string(); };
  if (const std::string words = said("unavailable"); !words.empty()) throw Error(ErrorKind::unavailable, words);
  if (const std::string words = said("oom"); !words.empty()) throw OutOfMemory(words);
  if (const std::string words = said("error"); !words.empty()) throw Error(ErrorKind::internal, words);
  return answer;
}

}  // namespace bench::jobs
