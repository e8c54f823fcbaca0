// SPDX-License-Identifier: Apache-2.0
// launch local: the same run several times, each in processes of its own. Comparisons rest on launches, and those of two programs are
// interleaved a b b a a b ..., so that a drift of the machine hits both alike.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "src/cli/exit_codes.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct Job {
  std::string side;  // a | b
  int number;        // from 1
  std::string binary;
};

std::vector<Job> jobs_in_order(const LaunchOptions& options, const std::string& self) {
  std::vector<Job> jobs;
  for (int i = 1; i <= options.launches; ++i) {
    const Job a{"a", i, self}, b{"b", i, options.other_binary};
    if (options.other_binary.empty()) jobs.push_back(a);
    else if (i % 2 == 1) jobs.insert(jobs.end(), {a, b});
    else jobs.insert(jobs.end(), {b, a});
  }
  return jobs;
}

std::vector<std::string> command_of(const LaunchOptions& options, const Job& job, const fs::path& folder) {
  const bool built_in = options.mpirun.empty();
  std::istringstream words(built_in ? std::string(fs::exists(BENCH_SCALE_MPIEXEC) ? BENCH_SCALE_MPIEXEC : "mpirun") : options.mpirun);
  std::vector<std::string> command;
  for (std::string word; words >> word;) command.push_back(word);
  command.insert(command.end(), {"-np", std::to_string(options.ranks), job.binary, "run"});
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  command.insert(command.end(), {"-o", folder.string()});
  return command;
}

/// Runs the command with its words in `log`; its exit code, or 128 + the signal that ended it.
int run_and_wait(const std::vector<std::string>& command, const fs::path& log) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw Error(ErrorKind::unavailable, concat("cannot start '", command.front(), "': ", std::strerror(failed)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

int launch_verb(const Options& options) {
  const LaunchOptions& wanted = options.launch;
  const fs::path folder = wanted.output_dir.empty() ? fs::path("results/launches") : fs::path(wanted.output_dir);
  const std::vector<Job> jobs = jobs_in_order(wanted, fs::read_symlink("/proc/self/exe").string());
  int worst = kAllMeasured;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const fs::path target = folder / jobs[i].side / std::to_string(jobs[i].number);
    if (fs::exists(target / "results.h5")) usage_error(concat("'", target.string(), "' holds results already; give another --output-dir"));
    fs::create_directories(target);
    std::cerr << concat('[', i + 1, '/', jobs.size(), "] ", target.string(), '\n');
    const int code = run_and_wait(command_of(wanted, jobs[i], target), target / "launch.log");
    worst = std::max(worst, code);
    if (code != kAllMeasured && code != kSomeFailed) {
      std::cerr << concat("bench_scale: a launch ended with ", code, "; its words are in ", (target / "launch.log").string(), '\n');
      break;
    }
  }
  std::cout << (folder / "a").string() << '\n';
  if (!wanted.other_binary.empty()) std::cout << (folder / "b").string() << '\n';
  return worst;
}

}  // namespace bench::cli
