// SPDX-License-Identifier: Apache-2.0
// launch slurm: the sbatch commands of a study, as a shell script that a person can read, keep and change; --submit runs that very script.
#pragma once

#include <string>

#include "src/cli/launch_options.hpp"

namespace bench::cli {

/// One array of slurm/array.sbatch per number of nodes, each for the cases that do not fit on the next smaller one, and slurm/merge.sbatch
/// after all of them. `folder` takes n<nodes>/shard_<i>_of_<n>
/// and merged; `program` is what the jobs start; `scripts` holds the sbatch files. Error(usage) for run arguments that the scripts set
/// themselves (-o, --shard, --resume) and for numbers of nodes given twice.
std::string slurm_script(const LaunchOptions& options, const std::string& program, const std::string& scripts, const std::string& folder);

/// Prints that script, or runs it with --submit. Error(unavailable) without sbatch or without the scripts.
int launch_slurm(const LaunchOptions& options, const std::string& program);

}  // namespace bench::cli
