// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <filesystem>

#include "build_info.hpp"
#include "src/cli/torch_plugin.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {

std::string studies_dir() {
  namespace fs = std::filesystem;
  if (const char* given = std::getenv("BENCH_SCALE_STUDIES")) return given;
  std::error_code code;
  const fs::path installed = fs::read_symlink("/proc/self/exe", code).parent_path().parent_path() / "share/bench_scale/studies";
  if (!code && fs::is_directory(installed, code)) return installed.string();
  return std::string(kSourceDir) + "/jobs/studies";
}

Prepared prepare(const Options& options, const scaling::Machine& machine) {
  const std::vector<scaling::MissingKernel> missing = load_gated_kernels();
  // What was asked for by name on the command line and is not here is an error; what a study lists is a row with its reason.
  for (const std::string& name : options.overrides.kernels)
    for (const scaling::MissingKernel& kernel : missing)
      if (kernel.name == name) throw Error(ErrorKind::unavailable, concat("--kernel ", name, ": ", kernel.reason));
  Prepared prepared{scaling::load_study(options.study, studies_dir()), {}};
  scaling::apply_overrides(prepared.study, options.overrides);
  apply_settings(options, prepared.study.run);
  prepared.plan = scaling::make_plan(prepared.study, scaling::make_cases(prepared.study, missing, machine), machine);
  return prepared;
}

}  // namespace bench::cli
