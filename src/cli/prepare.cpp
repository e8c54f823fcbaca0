// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "analysis/compare/policy.hpp"
#include "jobs/command/permission.hpp"
#include "scaling/shard.hpp"
#include "src/cli/torch_plugin.hpp"
#include "src/cli/verbs.hpp"

namespace bench::cli {

std::string studies_dir() {
  namespace fs = std::filesystem;
  if (const char* given = std::getenv("BENCH_SCALE_STUDIES")) return given;
  std::error_code code;
  const fs::path installed = fs::read_symlink("/proc/self/exe", code).parent_path().parent_path() / "share/bench_scale/studies";
  if (!code && fs::is_directory(installed, code)) return installed.string();
  return BENCH_SCALE_SOURCE_STUDIES;
}

namespace {

void keep_workloads(scaling::Study& study, const std::vector<std::string>& workloads) {
  for (const std::string& name : workloads) {
    if (Registry<Op>::instance().find(name) != nullptr) continue;
    std::string known;
    for (const Op* op : Registry<Op>::instance().all()) known += (known.empty() ? "" : ", ") + op->name;
    usage_error(concat("--workload '", name, "' is not an op; allowed: ", known));
  }
  if (!workloads.empty())
    std::erase_if(study.sweeps, [&](const scaling::Sweep& sweep) { return std::ranges::find(workloads, sweep.op) == workloads.end(); });
}

/// Programs are started where that was asked for, and only there.
void forbid_commands(std::vector<scaling::Case>& cases) {
  for (scaling::Case& c : cases) {
    const Kernel* kernel = Registry<Kernel>::instance().find(c.kernel);
    if (kernel == nullptr || kernel->backend != Backend::command || c.planned == Outcome::skipped) continue;
    c.planned = Outcome::skipped;
    c.reason = jobs::kNotAllowed;
  }
}

}  // namespace

Planned prepare(const Options& options, const scaling::Machine& machine) {
  const std::vector<scaling::MissingKernel> missing = load_gated_kernels();
  // What was asked for by name on the command line and is not here is an error; what a study lists is a row with its reason.
  for (const std::string& name : options.overrides.kernels)
    for (const scaling::MissingKernel& kernel : missing)
      if (kernel.name == name) throw Error(ErrorKind::unavailable, concat("--kernel ", name, ": ", kernel.reason));
  Planned planned{scaling::load_study(options.study, studies_dir()), {}, {}};
  keep_workloads(planned.study, options.workloads);
  scaling::apply_overrides(planned.study, options.overrides);
  apply_settings(options, planned.study.run);
  if (!options.policy.empty()) planned.study.policy = options.policy;
  if (!planned.study.policy.empty()) {
    analysis::load_policy(planned.study.policy);  // a fault in it is better known before an hour of measuring
    std::ifstream file(planned.study.policy);
    planned.policy.assign(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<scaling::Case> cases = scaling::make_cases(planned.study, missing, machine);
  if (!options.allow_commands) forbid_commands(cases);
  std::erase_if(cases, [&](const scaling::Case& c) { return c.ranks <= options.wider_than; });
  if (!options.shard.empty()) scaling::keep_shard(cases, scaling::parse_shard(options.shard));
  planned.plan = scaling::make_plan(planned.study, std::move(cases), machine);
  return planned;
}

}  // namespace bench::cli
