// SPDX-License-Identifier: Apache-2.0
// The command line of launch: runs of this program here (local) or in a cluster's queue (slurm).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace bench::cli {

struct SlurmOptions {
  std::vector<int> nodes{1};        // an array of jobs for each
  int tasks_per_node = 2;
  int shards = 1;                   // array tasks of each
  int at_once = 0;                  // of them; 0: as many as the queue takes
  int cpus_per_task = 0, gpus_per_node = 0;  // 0: not asked for
  std::string time, partition, account, qos;
  std::vector<std::string> sbatch;  // further words for every sbatch
  std::string scripts;              // folder of array.sbatch; empty: the program's own
  bool submit = false;
};

struct LaunchOptions {
  bool in_slurm = false;
  int launches = 5;
  int ranks = 2;
  std::string other_binary;           // a second program, launched in turn: a b b a a b ...
  std::string mpirun;                 // with its own flags; empty: the one this was built with
  bool supervise = false;             // one run, started again while it gets further
  std::string output_dir;             // empty: results/launches, of one run results/run_<UTC>, in Slurm results/slurm_<UTC>
  std::vector<std::string> arguments; // of each run
  SlurmOptions slurm;
};

/// The subcommand; parse() of `app` fills the options.
CLI::App* add_launch_verb(CLI::App& app, LaunchOptions& options);

}  // namespace bench::cli
