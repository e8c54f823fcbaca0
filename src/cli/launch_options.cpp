// SPDX-License-Identifier: Apache-2.0
#include "src/cli/launch_options.hpp"

#include <CLI/CLI.hpp>

namespace bench::cli {
namespace {

void add_local(CLI::App& verb, LaunchOptions& options) {
  CLI::App* local = verb.add_subcommand("local", "start the same run several times here, so that results can be compared: one file a launch");
  local->fallthrough(false);
  CLI::Option* launches = local->add_option("--launches", options.launches, "process starts a program")->check(CLI::Range(1, 1000))->capture_default_str();
  local->add_option("--np", options.ranks, "ranks")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  CLI::Option* other = local->add_option("--ab", options.other_binary, "a second program, launched in turn: a b b a a b ...")->check(CLI::ExistingFile);
  local->add_option("--mpirun", options.mpirun, "launcher with its flags (default: the one this was built with)")->envname("BENCH_SCALE_MPIRUN");
  local->add_flag("--supervise", options.supervise, "one run into -o, started again with --resume for as long as it dies unfinished and gets further")
      ->excludes(launches)->excludes(other);
  local->add_option("-o,--output-dir", options.output_dir, "folder for a/1, a/2, ... (and b/1, ...; default: results/launches); with --supervise the run's own");
  local->add_option("arguments", options.arguments, "of each run, after --");
}

void add_slurm(CLI::App& verb, LaunchOptions& options) {
  SlurmOptions& slurm = options.slurm;
  CLI::App* sub = verb.add_subcommand("slurm", "print the sbatch commands of a study: an array of jobs per number of nodes, and the merge of what they leave");
  sub->fallthrough(false);
  const auto count = CLI::Range(1, 1 << 20);
  sub->add_option("--nodes", slurm.nodes, "numbers of nodes, for example 1,2,4")->delimiter(',')->check(count)->capture_default_str();
  sub->add_option("--ntasks-per-node", slurm.tasks_per_node, "ranks on each")->check(count)->capture_default_str();
  sub->add_option("--array-size", slurm.shards, "jobs that share the cases of one number of nodes")->check(count)->capture_default_str();
  sub->add_option("--at-once", slurm.at_once, "of them in the machine at a time (default: no limit)")->check(count);
  sub->add_option("--cpus-per-task", slurm.cpus_per_task, "cores of a rank")->check(count);
  sub->add_option("--gpus-per-node", slurm.gpus_per_node, "GPUs of a node, all visible to each of its ranks")->check(count);
  sub->add_option("--time", slurm.time, "limit of a job, as sbatch takes it");
  sub->add_option("--partition", slurm.partition, "as sbatch takes it");
  sub->add_option("--account", slurm.account, "as sbatch takes it");
  sub->add_option("--qos", slurm.qos, "as sbatch takes it");
  sub->add_option("--sbatch", slurm.sbatch, "one further word for every sbatch, for example --sbatch=--exclusive; may be repeated")->take_all();
  sub->add_option("--scripts", slurm.scripts, "folder with array.sbatch (default: the one that came with this program)")->envname("BENCH_SCALE_SCRIPTS")->check(CLI::ExistingDirectory);
  sub->add_option("-o,--output-dir", options.output_dir, "folder for n<nodes>/shard_... and merged (default: results/slurm_<UTC>); an old one is continued");
  sub->add_flag("--submit", slurm.submit, "submit instead of print");
  sub->add_option("arguments", options.arguments, "of each run, after --");
  sub->callback([&options] { options.in_slurm = true; });
}

}  // namespace

CLI::App* add_launch_verb(CLI::App& app, LaunchOptions& options) {
  CLI::App* verb = app.add_subcommand("launch", "start runs, here or in a cluster's queue");
  verb->require_subcommand(1);
  verb->fallthrough(false);
  add_local(*verb, options);
  add_slurm(*verb, options);
  return verb;
}

}  // namespace bench::cli
