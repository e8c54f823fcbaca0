// SPDX-License-Identifier: Apache-2.0
// The verbs. Each gets the parsed command line and returns the exit code; errors leave as bench::Error and main.cpp prints them.
#pragma once

#include "scaling/plan.hpp"
#include "src/cli/options.hpp"
#include "src/cli/self_profile.hpp"
#include "src/comm/session.hpp"

namespace bench::cli {

/// Measures a study over MPI. Collective: every rank calls it and gets the same code.
int run_verb(const Options& options, const comm::Session& session, SelfProfile& profile);
/// Shows the cases, their ids, what will not run and why, and the order; runs nothing. `ranks`: that were started; a run
/// on them is planned unless the options name another machine.
int plan_verb(const Options& options, std::int64_t ranks);
int list_verb(const Options& options);
/// Reads sides and prints verdicts; 0 whatever they are.
int compare_verb(const Options& options);
/// The same, held against a policy: kRegression when it does not pass.
int gate_verb(const Options& options);
/// Starts runs and waits for them; the worst of their codes.
int launch_verb(const Options& options);
/// Several runs as one, in a folder of its own.
int merge_verb(const Options& options);

/// Says what this machine has and what the program found of it; with --roofline also what it can do.
int doctor_verb(const Options& options);

/// The study with flags laid over it, and its cases on this machine: what run and plan have in common.
struct Planned {
  scaling::Study study;
  scaling::Plan plan;
  std::string policy;  // the text of study.policy
};
Planned prepare(const Options& options, const scaling::Machine& machine);

/// Folder of the built-in studies: BENCH_SCALE_STUDIES, else beside the installed program, else in the source tree it was built from.
std::string studies_dir();

}  // namespace bench::cli
