// SPDX-License-Identifier: Apache-2.0
#include "src/cli/deadline.hpp"

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "src/core/error.hpp"

namespace bench::cli {
namespace {

volatile std::sig_atomic_t g_stop = 0;
void request_stop(int) { g_stop = 1; }

double unix_now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

double parse_seconds(std::string_view text, const char* what) {
  double seconds = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || !(seconds >= 0.0))
    usage_error(concat(what, " '", std::string(text), "' is no time; allowed: seconds, or @ and a Unix time"));
  return seconds;
}

double end_unix(const std::string& given) {
  if (given.starts_with('@')) return parse_seconds(std::string_view(given).substr(1), "--deadline");
  if (!given.empty()) return unix_now() + parse_seconds(given, "--deadline");
  for (const char* name : {"BENCH_DEADLINE_UNIX", "SLURM_JOB_END_TIME"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return parse_seconds(value, name);
  return std::numeric_limits<double>::infinity();
}

}  // namespace

std::function<double()> time_left(const std::string& given) {
  return [end = end_unix(given)] { return end - unix_now(); };
}

void listen_for_stop() {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, request_stop);
}

bool stop_requested() { return g_stop != 0; }

}  // namespace bench::cli
