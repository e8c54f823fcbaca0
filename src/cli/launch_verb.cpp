// SPDX-License-Identifier: Apache-2.0
// launch local: the same run several times, each in processes of its own, or one run under the supervisor. Comparisons rest on launches, and
// those of two programs are interleaved a b b a a b ..., so that a drift of the machine hits both alike.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "src/cli/exit_codes.hpp"
#include "src/cli/launch_process.hpp"
#include "src/cli/launch_slurm.hpp"
#include "src/cli/run_folder.hpp"
#include "src/cli/supervise.hpp"
#include "src/cli/verbs.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

struct Job {
  std::string side;  // a | b
  int number;        // from 1
  std::string binary;
};

std::string this_program() { return fs::read_symlink("/proc/self/exe").string(); }

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

/// The mpirun that came with this program, the one it was built with, or whichever PATH has.
std::string own_mpirun() {
  const fs::path beside = fs::path(this_program()).parent_path() / "mpirun";
  for (const fs::path& launcher : {beside, fs::path(BENCH_SCALE_MPIEXEC)})
    if (fs::exists(launcher)) return launcher.string();
  return "mpirun";
}

/// mpirun (or srun, which names its flag otherwise) with the program's run, without its folder.
std::vector<std::string> command_of(const LaunchOptions& options, const std::string& binary) {
  std::vector<std::string> command;
  if (options.mpirun.empty()) command.push_back(own_mpirun());
  std::istringstream words(options.mpirun);
  for (std::string word; words >> word;) command.push_back(word);
  const bool is_srun = fs::path(command.front()).filename() == "srun";
  command.insert(command.end(), {is_srun ? "-n" : "-np", std::to_string(options.ranks), binary, "run"});
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  return command;
}

int supervised(const LaunchOptions& options) {
  const fs::path folder = options.output_dir.empty() ? default_run_folder(system::utc_now()) : fs::path(options.output_dir);
  std::vector<std::string> command = command_of(options, this_program());
  command.insert(command.end(), {"-o", folder.string(), "--resume"});
  return supervise(command, folder);
}

int repeated(const LaunchOptions& wanted) {
  const fs::path folder = wanted.output_dir.empty() ? fs::path("results/launches") : fs::path(wanted.output_dir);
  const std::vector<Job> jobs = jobs_in_order(wanted, this_program());
  int worst = kAllMeasured;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const fs::path target = folder / jobs[i].side / std::to_string(jobs[i].number);
    if (fs::exists(target / "results.h5")) usage_error(concat("'", target.string(), "' holds results already; give another --output-dir"));
    fs::create_directories(target);
    std::cerr << concat('[', i + 1, '/', jobs.size(), "] ", target.string(), '\n');
    std::vector<std::string> command = command_of(wanted, jobs[i].binary);
    command.insert(command.end(), {"-o", target.string()});
    const int code = run_and_wait(command, target / "launch.log");
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

}  // namespace

int launch_verb(const Options& options) {
  if (options.launch.in_slurm) return launch_slurm(options.launch, this_program());
  return options.launch.supervise ? supervised(options.launch) : repeated(options.launch);
}

}  // namespace bench::cli
