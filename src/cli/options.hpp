// SPDX-License-Identifier: Apache-2.0
// The command line as plain data. Every rank parses the same arguments; what they mean is decided without talking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scaling/study.hpp"
#include "src/cli/compare_options.hpp"
#include "src/cli/doctor_options.hpp"
#include "src/cli/launch_options.hpp"
#include "src/cli/merge_options.hpp"

namespace bench::cli {

enum class Verb { run, plan, list, compare, gate, launch, merge, doctor };

inline constexpr std::int64_t kMostPlannedRanks = std::int64_t{1} << 20;  // the planner keeps some words for each

/// The machine that `plan` plans for, where it is not this one.
struct PlanOptions {
  std::int64_t nodes = 1;
  std::optional<std::int64_t> ranks_per_node;         // absent: as many as were started
  std::optional<std::int64_t> memory_bytes_per_rank;  // absent: a node has what is available here
};

struct Options {
  Verb verb = Verb::run;
  std::string study = "quick";
  std::string output_dir;              // empty: results/run_<UTC>
  std::vector<std::string> workloads;  // only these ops; empty: all
  scaling::StudyOverrides overrides;
  std::string policy;                  // over the study's; empty: the study's
  // Flags over the study's run settings; absent ones leave the study's value.
  std::optional<std::int64_t> warmup, min_samples, max_samples, iterations, visits, scaling_visits, seed;
  std::optional<double> ci, confidence, min_time, warmup_time, budget;
  std::optional<std::string> order, placement, isolation, schedule, sync, bind, limits;
  std::string color = "auto";          // auto | always | never
  bool json = false;
  bool dry_run = false;
  bool quiet = false;
  double telemetry_s = 0.0;            // period of the telemetry thread; 0: only at the ends of visits
  bool allow_shared_gpu = false;
  bool profile_self = false;
  std::string resume;                  // empty: a new run; strict: the same plan; intersect: what both plans have
  std::vector<std::string> retry;      // outcomes that a resumed run measures again
  bool allow_env_change = false;       // of a resumed run
  std::int64_t wider_than = 0;         // only cases of more ranks: the others are a smaller job's; 0: all
  std::string audit;                   // of a packed sweep: "only" or "fix"; empty: none
  std::string shard;                   // I/N: only these cases of the study; empty: all
  std::string deadline;                // seconds from now, or @UNIX time; empty: the environment's
  double timeout_s = 0.0;              // of a visit; 0: from its estimate
  bool allow_commands = false;         // kernels may start programs
  std::string inject;                  // faults of the links, comm::parse_faults
  std::optional<std::string> isa;      // the widest vector instructions that our kernels may use
  bool save_outputs = false;           // outputs/<case>.h5
  bool keep_host = false;              // store the host's name instead of its hash
  PlanOptions plan;
  CompareOptions compare;              // of compare and gate
  LaunchOptions launch;
  MergeOptions merge;
  DoctorOptions doctor;
  std::vector<std::string> arguments;  // as given, for the provenance
};

/// Parses argv over BENCH_SCALE_* variables. Help and version print to stdout and give `exit_now`.
struct Parsed {
  Options options;
  std::optional<int> exit_now;
  std::string out, err;  // what rank 0 prints when exit_now is set
};
Parsed parse_arguments(int argc, const char* const* argv);

/// Lays the flags over the study's own settings.
void apply_settings(const Options& options, scaling::RunSettings& run);

}  // namespace bench::cli
