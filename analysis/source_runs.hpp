// SPDX-License-Identifier: Apache-2.0
// Source runs: what a merged record was made of. It keeps them in its provenance and names one in every visit, so that nothing that was
// measured loses its origin and no ratio is taken across two environments.
#pragma once

#include <string>
#include <vector>

#include "analysis/record.hpp"
#include "analysis/table.hpp"

namespace bench::analysis {

struct SourceRun {
  std::string run_id, created_utc, study, plan_sha256;
  std::string env_id;
  std::string provenance_json;
};

/// What stands in for RunRecord::env_id in records that have none: 32 hex digits over what can change a time and is not the case: build, processor, memory settings, libraries, devices and their settings.
/// Time, host name, command, load, Slurm's numbers and the binding of the ranks are left out: they differ between two runs of one study.
/// Error(io) for provenance that is no JSON object.
std::string environment_id(const std::string& provenance_json);

/// A line "cpu.model: A | B" for everything in which the environments of these differ.
std::string environment_differences(const std::vector<SourceRun>& sources);

/// The sources of a merged record, or the run itself as the only one.
std::vector<SourceRun> source_runs_of(const RunRecord& run);

/// Provenance of a record merged from these: what they agree on (values that differ with " | " between), and themselves under "sources".
std::string merged_provenance(const std::vector<SourceRun>& sources);

/// Per case of the run the env_id of its visits: empty in a run that is not merged (there is only one), kSeveralEnvironments when they differ.
inline constexpr const char* kSeveralEnvironments = "several";
std::vector<std::string> case_environments(const RunRecord& run);
/// Whether a ratio of their times means something.
inline bool comparable_environments(const std::string& a, const std::string& b) { return a == b && a != kSeveralEnvironments; }

/// A row per run: when, which environment, how many cases and visits came from it. Empty for a run that is not merged.
Section source_runs_section(const RunRecord& run);

}  // namespace bench::analysis
