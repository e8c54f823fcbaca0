// SPDX-License-Identifier: Apache-2.0
#include "src/cli/launch_slurm.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "src/cli/exit_codes.hpp"
#include "src/cli/launch_process.hpp"
#include "src/core/error.hpp"
#include "src/system/provenance.hpp"

namespace bench::cli {
namespace {

namespace fs = std::filesystem;

/// A word as a shell reads it back.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%^";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + '\'';
}

/// What every job is asked for with.
std::string site_words(const SlurmOptions& slurm) {
  std::string text;
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) text += concat(" ", flag, '=', quoted(value));
  };
  add("--partition", slurm.partition);
  add("--account", slurm.account);
  add("--qos", slurm.qos);
  for (const std::string& word : slurm.sbatch) text += ' ' + quoted(word);
  return text;
}

std::string size_words(const SlurmOptions& slurm, int nodes) {
  std::string text = concat(" --nodes=", nodes, " --ntasks-per-node=", slurm.tasks_per_node);
  if (slurm.cpus_per_task > 0) text += concat(" --cpus-per-task=", slurm.cpus_per_task);
  // Not --gpus-per-task: it shows each rank one device only, which breaks peer access between them.
  if (slurm.gpus_per_node > 0) text += concat(" --gpus-per-node=", slurm.gpus_per_node, " --gpu-bind=none");
  if (!slurm.time.empty()) text += " --time=" + quoted(slurm.time);
  text += concat(" --array=0-", slurm.shards - 1);
  if (slurm.at_once > 0) text += concat('%', slurm.at_once);
  return text;
}

std::vector<int> ascending(std::vector<int> nodes) {
  std::ranges::sort(nodes);
  return nodes;
}

void check(const LaunchOptions& options) {
  for (const std::string& word : options.arguments)
    for (const std::string_view own : {"-o", "--output-dir", "--shard", "--resume"})
      if (word == own || word.starts_with(std::string(own) + '='))
        usage_error(concat("launch slurm: '", word, "' cannot be among the run's arguments: the jobs set it themselves; the folder is launch slurm -o DIR"));
  const std::vector<int> nodes = ascending(options.slurm.nodes);
  if (const auto twice = std::ranges::adjacent_find(nodes); twice != nodes.end())
    usage_error(concat("--nodes names ", *twice, " twice; each number of nodes is one array"));
}

/// The folder with the sbatch files: of an installed program, else in the source tree.
std::string own_scripts(const fs::path& program) {
  const fs::path installed = program.parent_path().parent_path() / "share/bench_scale/slurm";
  const fs::path source = fs::path(BENCH_SCALE_SOURCE_STUDIES).parent_path().parent_path() / "slurm";
  for (const fs::path& candidate : {installed, source})
    if (fs::exists(candidate / "array.sbatch")) return candidate.string();
  throw Error(ErrorKind::unavailable, concat("no array.sbatch in '", installed.string(), "' or '", source.string(), "'; give its folder with --scripts"));
}

}  // namespace

std::string slurm_script(const LaunchOptions& options, const std::string& program, const std::string& scripts, const std::string& folder) {
  check(options);
  const SlurmOptions& slurm = options.slurm;
  const std::string logs = folder + "/logs";
  std::string text = concat("export BENCH_SCALE_ROOT=", quoted(fs::path(scripts).parent_path().string()), " BENCH_SCALE_SCRIPTS=", quoted(scripts), "\n",
                            "export BENCH_SCALE_BIN=", quoted(program), "\n",
                            "export BENCH_SCALE_OUTPUT_DIR=", quoted(folder), " BENCH_SCALE_SHARDS=", slurm.shards, "\n", "mkdir -p ", quoted(logs), "\n");
  std::string arguments, after, names;
  for (const std::string& word : options.arguments) arguments += ' ' + quoted(word);
  int fewer = 0;  // ranks of the next smaller number of nodes, whose jobs measure the cases that fit there
  for (const int nodes : ascending(slurm.nodes)) {
    const std::string name = concat('n', nodes), wider = fewer > 0 ? concat(" --wider-than ", fewer) : "";
    text += concat(name, "=$(sbatch --parsable", size_words(slurm, nodes), site_words(slurm), " --job-name=bench_scale_", name, " --output=",
                   quoted(concat(logs, '/', name, "_%A_%a.log")), ' ', quoted(scripts + "/array.sbatch"), arguments, wider, ")\n");
    after += concat(":${", name, "%%;*}");
    names += concat(" $", name);
    fewer = nodes * slurm.tasks_per_node;
  }
  text += concat("merge=$(sbatch --parsable --dependency=afterany", after, site_words(slurm), " --output=", quoted(logs + "/merge_%j.log"), ' ',
                 quoted(scripts + "/merge.sbatch"), ' ', quoted(folder + "/merged"), ' ', quoted(folder), ")\n");
  return text + concat("echo \"arrays", names, ", then the merge $merge into \"", quoted(folder + "/merged"), "\n");
}

int launch_slurm(const LaunchOptions& options, const std::string& program) {
  std::string stamp = system::utc_now();
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  const fs::path folder = fs::absolute(options.output_dir.empty() ? "results/slurm_" + stamp : options.output_dir);
  const std::string scripts = options.slurm.scripts.empty() ? own_scripts(program) : fs::canonical(options.slurm.scripts).string();
  const std::string script = slurm_script(options, program, scripts, folder.string());
  if (!options.slurm.submit) {
    std::cout << script << std::flush;
    return kAllMeasured;
  }
  if (std::system("command -v sbatch >/dev/null") != 0) throw Error(ErrorKind::unavailable, "--submit needs sbatch, which is not on PATH; without it the commands are printed");
  const Ended ended = run_stoppable({"bash", "-euo", "pipefail", "-c", script});
  if (ended.code != 0) throw Error(ErrorKind::unavailable, concat("submitting ended with ", ended.code, "; what was submitted before stays in the queue"));
  return kAllMeasured;
}

}  // namespace bench::cli
